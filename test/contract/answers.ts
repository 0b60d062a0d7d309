/** A real answer held against what openapi.yaml says of its operation: status, headers, media type, body. */

import { expect } from '@jest/globals';
import { isJsonObject } from '../../src/core/json.ts';
import { find, membersOf, operation, type Place } from './document.ts';
import { expectToMatch } from './schemas.ts';
import { readEvents, type Stream } from './stream.ts';

/** What HTTP itself needs, and what the document says of all answers; every other header has to stand with its own. */
const PLUMBING = new Set([
  'connection',
  'cross-origin-resource-policy',
  'referrer-policy',
  'x-content-type-options',
  'x-frame-options',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'transfer-encoding',
]);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON, or the text. */
  readonly body: unknown;
}

/** An answer in one piece. */
export async function expectAnswer(name: string, response: Response): Promise<Answer> {
  const media = expectHead(name, response);
  const text = await response.text();
  const body: unknown = media.type === 'application/json' ? JSON.parse(text) : text;
  expectToMatch(media.schema, body);
  const { status, headers } = response;
  if (headers.has('content-length')) {
    expect(Number(headers.get('content-length'))).toBe(Buffer.byteLength(text));
  }
  return { status, headers, body };
}

/** A stream, to its end: each event on its own. */
export async function expectStream(name: string, response: Response): Promise<Stream> {
  const media = expectHead(name, response);
  expect(media.type).toBe('text/event-stream');
  expect(response.headers.has('content-length')).toBe(false);
  expect(response.headers.has('cache-control')).toBe(true);
  const stream = readEvents(await response.text());
  for (const event of stream.events) expectToMatch(media.schema, event);
  return stream;
}

interface Media {
  readonly type: string;
  readonly schema: Place;
}

function expectHead(name: string, { status, headers }: Response): Media {
  const described = find(['responses', String(status)], operation(name));
  expect({ name, status, isDescribed: described !== undefined }).toEqual({ name, status, isDescribed: true });
  expectHeaders(find(['headers'], described), headers);
  const type = (headers.get('content-type') ?? '').split(';')[0] ?? '';
  expect(membersOf(find(['content'], described))).toContain(type);
  const schema = find(['content', type, 'schema'], described);
  if (!schema) throw new Error(`${name} ${String(status)}: no schema for ${type}`);
  return { type, schema };
}

function expectHeaders(described: Place | undefined, headers: Headers): void {
  const names = membersOf(described);
  for (const name of headers.keys()) if (!PLUMBING.has(name)) expect(names).toContain(name);
  for (const name of names) {
    const header = find([name], described);
    const schema = find(['schema'], header);
    if (!header || !schema) throw new Error(`the header ${name} has no schema`);
    const isRequired = isJsonObject(header.value) && header.value.required === true;
    if (isRequired || headers.has(name)) expectToMatch(schema, headers.get(name));
  }
}
