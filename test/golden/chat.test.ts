/** Every recorded stream, in every chunking, through both ways of the decoder. */

import { describe, expect, it } from '@jest/globals';
import { ollama } from '../../src/backends/ollama/index.ts';
import { retryAfterOf } from '../../src/core/errors.ts';
import { errorBody } from '../../src/surfaces/errors.ts';
import { encodeUtf8 } from '../../src/wire/utf8.ts';
import { bytesOf, expectedEvents, run, WAYS } from './chat-run.ts';
import { chunkingsOf } from './chunkings.ts';
import { chat } from './vectors.ts';

function parseEvents(sse: string): unknown[] {
  expect(sse.endsWith('\n\n')).toBe(true);
  return sse
    .slice(0, -2)
    .split('\n\n')
    .map((event) => {
      expect(event).toMatch(/^data: [^\n\r]*$/);
      const payload = event.slice('data: '.length);
      return payload === '[DONE]' ? payload : (JSON.parse(payload) as unknown);
    });
}

const streams = chat.filter((vector) => !vector.upstream);

describe.each(WAYS)('%s', (_, kind) => {
  it.each(streams.filter(({ events }) => events).map((v) => [`${v.id}: ${v.title}`, v] as const))(
    'streams %s',
    (_name, vector) => {
      // Most ways to cut give the same bytes, which need to be looked at once.
      const known = new Set<string>();
      for (const { name, pieces } of chunkingsOf(bytesOf(vector))) {
        const { sent } = run(kind, vector, pieces);
        if (known.has(sent)) continue;
        expect({ name, events: parseEvents(sent) }).toEqual({ name, events: expectedEvents(vector) });
        known.add(sent);
      }
    },
  );

  it.each(streams.filter(({ http }) => http).map((v) => [`${v.id}: ${v.title}`, v] as const))(
    'answers %s',
    (_name, vector) => {
      for (const { name, pieces } of chunkingsOf(bytesOf(vector))) {
        const { sent, error } = run(kind, vector, pieces);
        const body = error ? errorBody(error) : sent;
        expect({ name, status: error?.status ?? 200, body: JSON.parse(body) as unknown }).toEqual({
          name,
          status: vector.http?.status,
          body: vector.http?.body,
        });
      }
    },
  );
});

describe('an answer with an error status', () => {
  it.each(chat.filter(({ upstream }) => upstream).map((v) => [`${v.id}: ${v.title}`, v] as const))(
    'becomes %s',
    (_name, vector) => {
      const { status = 0, body } = vector.upstream ?? {};
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const error = ollama.failure({
        status,
        headers: {},
        body: encodeUtf8(text),
        model: 'nope',
      });
      expect(error.status).toBe(vector.http?.status);
      expect(JSON.parse(errorBody(error))).toEqual(vector.http?.body);
      const retryAfter = vector.http?.headers?.['retry-after'];
      if (retryAfter !== undefined) expect(String(retryAfterOf(error))).toBe(retryAfter);
    },
  );
});
