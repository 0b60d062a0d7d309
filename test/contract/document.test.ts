/** openapi.yaml itself: sound, served as it is, and about the routes that there are. */

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { createApp } from '../../src/app.ts';
import { isJsonObject, type JsonObject } from '../../src/core/json.ts';
import { createSetup } from '../support/setup.ts';
import { document, documentText, find, membersOf, operation, operationNames } from './document.ts';
import { component, expectToMatch, faultsOf } from './schemas.ts';
import { routesOf } from './routes.ts';

const setup = createSetup();
const ROOT = new URL('../../', import.meta.url);

describe('the document', () => {
  it('passes its linter without an error or a warning', async () => {
    const redocly = fileURLToPath(new URL('node_modules/.bin/redocly', ROOT));
    const { stdout } = await promisify(execFile)(redocly, ['lint', 'openapi.yaml', '--format=json'], {
      cwd: fileURLToPath(ROOT),
      env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
    });
    const { totals, problems } = JSON.parse(stdout) as { totals: object; problems: unknown[] };
    expect(problems).toEqual([]);
    expect(totals).toEqual({ errors: 0, warnings: 0, ignored: 0 });
  });

  it('is what the gateway serves at /openapi.yaml', async () => {
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: 'http://127.0.0.1:9' } });
    const response = await fetch(`${gateway.url}/openapi.yaml`);
    expect(response.headers.get('content-type')).toMatch(/^application\/yaml\b/);
    expect(await response.text()).toBe(documentText);
  });

  it('describes every route of the app, and no other', async () => {
    const { deps } = await setup.gateway({ env: { OLLAMA_BASE_URL: 'http://127.0.0.1:9' } });
    expect(operationNames().sort()).toEqual(
      routesOf(createApp({ ...deps, reload: () => Promise.reject(new Error('not here')) })).sort(),
    );
  });

  it('has the version and the license of the package', () => {
    const text = readFileSync(new URL('package.json', ROOT), 'utf8');
    const { version, license } = JSON.parse(text) as { version: string; license: string };
    expect(document.info).toMatchObject({ version, license: { name: license, identifier: license } });
  });

  it('demands a key exactly where the gateway does', async () => {
    const env = { OLLAMA_BASE_URL: 'http://127.0.0.1:9', AUTH_KEY: 'k'.repeat(32) };
    const { url } = await setup.gateway({ env });
    for (const name of operationNames()) {
      const [method = '', path = ''] = name.split(' ');
      const { status } = await fetch(url + path.replace('{id}', 'm'), { method });
      const open = find(['security'], operation(name))?.value;
      expect({ name, needsKey: status === 401 }).toEqual({ name, needsKey: open === undefined });
    }
  });
});

describe('the schemas of the document', () => {
  it.each(membersOf(find(['components', 'schemas'])))(
    '%s holds for its examples, and not for nothing',
    (name) => {
      const schema = component(name);
      const { examples = [] } = schema.value as { examples?: unknown[] };
      for (const example of examples) expectToMatch(schema, example);
      expect(faultsOf(schema, undefined)).not.toEqual([]);
    },
  );

  it('say of every object whether it may have more keys', () => {
    expect(undecided(document, '')).toEqual([]);
  });
});

/** Where a schema of an object leaves open whether it may have keys that are not described. */
function undecided(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => undecided(item, `${path}/${String(i)}`));
  if (!isJsonObject(value)) return [];
  const types: unknown[] = Array.isArray(value.type) ? value.type : [value.type];
  const isOpen = types.includes('object') && value.additionalProperties === undefined;
  const inner = Object.entries(value).flatMap(([key, item]) => undecided(item, `${path}/${key}`));
  return isOpen ? [path, ...inner] : inner;
}

describe('request ids', () => {
  async function idOf(given: string): Promise<string | null> {
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: 'http://127.0.0.1:9' } });
    const { headers } = await fetch(`${url}/health`, { headers: { 'x-request-id': given } });
    return headers.get('x-request-id');
  }

  it('of the client are kept', async () => {
    expect(await idOf('trace-1_a.B')).toBe('trace-1_a.B');
  });

  it.each(['', 'a b', 'x'.repeat(129), '<script>'])('that are none are replaced: %p', async (given) => {
    expect(await idOf(given)).toMatch(/^req_[0-9a-f]{32}$/);
  });

  it.each(['/nowhere', '/v1/nowhere', '/v1/chat'])(
    'stand on the 404 of %s, with the error of the contract',
    async (path) => {
      const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: 'http://127.0.0.1:9' } });
      const response = await fetch(url + path);
      expect(response.status).toBe(404);
      expect(response.headers.get('x-request-id')).toMatch(/^req_/);
      const body = (await response.json()) as JsonObject;
      expectToMatch(component('Error'), body);
      expect(body).toMatchObject({ error: { code: 'unknown_url' } });
    },
  );
});
