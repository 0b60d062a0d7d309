/** Names that clients invent do not become series of metrics, nor labels of anything that stays. */

import { expect, it } from '@jest/globals';
import { Pool } from 'undici';
import { answering } from '../../support/answering.ts';
import { createDraw, type Draw } from '../../support/mutations.ts';
import { createSetup } from '../../support/setup.ts';

const setup = createSetup();
const REQUESTS = 8000;
const AT_ONCE = 8;
/** It takes a few seconds where nothing else runs. */
const FOR_LOADED_MACHINES_MS = 120_000;
const TEXTS = { prompt: 'a', input: 'a' };
const KEY = 'a-key-of-at-least-thirty-two-characters';

/** `invented` and letters, so that it can be looked for. */
const invent = (draw: Draw): string => `invented${draw.below(2 ** 31).toString(36)}`;

const METHODS = ['GET', 'POST', 'PROPFIND'] as const;

interface Invented {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

function requestFrom(draw: Draw): Invented {
  const name = invent(draw);
  const authorization = `Bearer ${draw.below(4) === 0 ? invent(draw) : KEY}`;
  const headers = {
    authorization,
    'content-type': 'application/json',
    'x-request-id': name,
    'user-agent': name,
  };
  const body = JSON.stringify({
    model: draw.from([name, `${name}:latest`, 'm']),
    messages: [{ role: 'user', content: 'hi' }],
    ...TEXTS,
    user: name,
    stream: draw.below(2) === 0,
  });
  switch (draw.below(4)) {
    case 0:
      return {
        method: 'POST',
        path: draw.from(['/v1/chat/completions', '/v1/completions', '/v1/embeddings']),
        headers,
        body,
      };
    case 1:
      return { method: 'POST', path: `/v1/${name}`, headers, body };
    case 2:
      return {
        method: draw.from(METHODS),
        path: draw.from([`/${name}`, `/v1/models/${name}`, `/api/chat/${name}`]),
        headers,
      };
    default:
      return { method: draw.from(METHODS), path: `/v1/chat/completions?${name}=1`, headers };
  }
}

it(
  `${String(REQUESTS)} requests with invented models, paths and keys add at most 150 series`,
  async () => {
    const vllm = await setup.backend(answering);
    // It is asked for models that it does not list: their names must not stay.
    const ollama = await setup.backend(answering, { models: ['o'] });
    const gateway = await setup.gateway({
      env: { VLLM_BASE_URL: vllm.url, OLLAMA_BASE_URL: ollama.url, AUTH_KEY: KEY },
    });
    const seriesOf = async (): Promise<string[]> => {
      const text = await (await fetch(`${gateway.url}/metrics`)).text();
      return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    };
    // What a gateway has that is used as it should be.
    for (const path of ['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/responses']) {
      for (const stream of [true, false]) {
        const body = JSON.stringify({
          model: 'm',
          stream,
          messages: [{ role: 'user', content: 'hi' }],
          ...TEXTS,
        });
        const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
        await (await fetch(gateway.url + path, { method: 'POST', headers, body })).text();
      }
    }
    await seriesOf();
    const before = await seriesOf();

    const statuses = new Map<number, number>();
    const pool = new Pool(gateway.url, { connections: AT_ONCE });
    async function sendMany(draw: Draw): Promise<void> {
      for (let left = REQUESTS / AT_ONCE; left > 0; left--) {
        const { method, path, headers, body = null } = requestFrom(draw);
        const response = await pool.request({ method: method, path, headers, body });
        await response.body.text();
        statuses.set(response.statusCode, (statuses.get(response.statusCode) ?? 0) + 1);
      }
    }
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => sendMany(createDraw(11 + i))));
    } finally {
      await pool.destroy();
    }

    const after = await seriesOf();
    expect(after.filter((line) => /invented/i.test(line))).toEqual([]);
    expect(after.length - before.length).toBeLessThanOrEqual(150);
    // Served, refused and not found: all of it happened.
    for (const status of [200, 401, 404, 405])
      expect([status, (statuses.get(status) ?? 0) > 100]).toEqual([status, true]);
  },
  FOR_LOADED_MACHINES_MS,
);
