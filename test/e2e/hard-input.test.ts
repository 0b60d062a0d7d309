/** Input that is odd, large or deep: answered or refused, never a 5xx and never a hang; content arrives whole. */

import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import { saying } from '../support/scripted-backend.ts';
import { createSetup, KINDS_OF_STREAM } from '../support/setup.ts';

const setup = createSetup();

const user = (content: unknown): JsonObject => ({ role: 'user', content });
const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown;
const schemaOf = (depth: number): JsonObject =>
  depth === 0 ? { type: 'string' } : { type: 'object', properties: { a: schemaOf(depth - 1) } };
const toolOf = (parameters: unknown): JsonObject => ({
  tools: [{ type: 'function', function: { name: 'f', parameters } }],
});

/** Served, and what the backend was asked holds the text as it was given. */
const SERVED: readonly (readonly [string, JsonObject, string])[] = [
  [
    'NUL and other control characters',
    { messages: [user('a\u0000b\u0007c\u001f\u007f')] },
    'a\u0000b\u0007c\u001f\u007f',
  ],
  ['a lone surrogate', { messages: [user('a\ud800b')] }, 'a\ud800b'],
  ['characters beyond the first plane', { messages: [user('👩‍👩‍👧‍👦 𝄞 é')] }, '👩‍👩‍👧‍👦 𝄞 é'],
  ['line separators', { messages: [user('a\u2028b\u2029c\r\nd')] }, 'a\u2028b\u2029c\r\nd'],
  ['a message of 200 KB', { messages: [user('x€'.repeat(70_000))] }, 'x€'.repeat(70_000)],
  [
    '500 messages',
    {
      messages: Array.from({ length: 500 }, (_, i) => ({
        role: i % 2 ? 'assistant' : 'user',
        content: `turn ${String(i)}`,
      })),
    },
    'turn 499',
  ],
  ['__proto__ as a name', JSON.parse('{"__proto__":{"a":1},"constructor":1}') as JsonObject, 'hi'],
  ['a schema 40 levels deep', toolOf(schemaOf(40)), 'hi'],
  [
    'a schema that refers to itself',
    toolOf({
      $ref: '#/$defs/n',
      $defs: { n: { type: 'object', properties: { n: { $ref: '#/$defs/n' }, m: { $ref: '#/$defs/n' } } } },
    }),
    'hi',
  ],
  [
    '128 tools',
    {
      tools: Array.from({ length: 128 }, (_, i) => ({
        type: 'function',
        function: { name: `f${String(i)}` },
      })),
    },
    'hi',
  ],
];

const REFUSED: readonly (readonly [string, JsonObject])[] = [
  [
    '129 tools',
    { tools: Array.from({ length: 129 }, () => ({ type: 'function', function: { name: 'f' } })) },
  ],
  ['a bad name', { tools: [{ type: 'function', function: { name: 'a b' } }] }],
  ['no messages', { messages: [] }],
  ['an empty list of parts', { messages: [user([])] }],
  ['an orphan tool message', { messages: [{ role: 'tool', tool_call_id: 'x', content: 'y' }] }],
  ['nesting without end', { messages: [user('x')], extra: nested(500) }],
];

describe.each(KINDS_OF_STREAM)('in front of %s', (_, variable) => {
  it.each(SERVED)('%s is served', async (_name, members, text) => {
    const backend = await setup.backend(saying('ok'));
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    for (const stream of [true, false]) {
      const response = await gateway.chat({ ...members, stream });
      expect(await response.text()).toContain('ok');
      expect(response.status).toBe(200);
    }
    const asked = backend.calls.map(({ body }) => (body.messages as JsonObject[]).at(-1)?.content);
    expect(asked).toEqual([text, text]);
  });

  it.each(REFUSED)('%s is refused', async (_name, members) => {
    const backend = await setup.backend(saying('ok'));
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const response = await gateway.chat(members);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
    expect(backend.calls).toEqual([]);
  });
});
