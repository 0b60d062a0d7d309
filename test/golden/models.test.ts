/** The recorded list of models, as Ollama tells it and as clients get it. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { createSetup } from '../support/setup.ts';
import { more } from './vectors.ts';

interface ModelList {
  readonly endpoint: string;
  readonly upstream: { readonly path: string; readonly body: unknown };
  readonly http: unknown;
}

const setup = createSetup();
const vector = more.find(({ id }) => id === 'J01') as unknown as ModelList;

it('models of Ollama are listed as recorded', async () => {
  const { endpoint, upstream, http } = vector;
  const answers: Readonly<Record<string, unknown>> = {
    [upstream.path]: upstream.body,
    '/api/version': { version: '0.33.0' },
    '/api/ps': { models: [] },
    '/api/show': {},
  };
  const server = createServer((req, res) => {
    req.resume();
    res.setHeader('content-type', 'application/json').end(JSON.stringify(answers[req.url ?? ''] ?? {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: `http://127.0.0.1:${String(port)}` } });
    expect(await (await fetch(`${gateway.url}${endpoint}`)).json()).toEqual(http);
  } finally {
    server.close();
  }
});
