/** Values against the schemas of openapi.yaml. */

import { expect } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { document, find, type Place } from './document.ts';

const ajv = new Ajv2020({ strict: true, allErrors: true });
addFormats.default(ajv);
// OpenAPI's own words, in a schema and around all of them; they do not change what is valid.
ajv.addVocabulary(['discriminator', ...Object.keys(document)]);
ajv.addSchema(document, 'openapi.yaml');

/** What is wrong with the value; [] when nothing is. */
export function faultsOf(schema: Place, value: unknown): string[] {
  const validate = ajv.getSchema(`openapi.yaml#${schema.pointer}`);
  if (!validate) throw new Error(`no schema at ${schema.pointer}`);
  if (validate(value) === true) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${instancePath} ${String(message)} ${JSON.stringify(params)} in ${JSON.stringify(value)}`,
  );
}

export function expectToMatch(schema: Place, value: unknown): void {
  expect(faultsOf(schema, value)).toEqual([]);
}

/** A schema of `components` by its name. */
export function component(name: string): Place {
  const place = find(['components', 'schemas', name]);
  if (!place) throw new Error(`the document has no schema ${name}`);
  return place;
}
