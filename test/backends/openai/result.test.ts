/** Whole answers of OpenAI-compatible servers put right. */

import { describe, expect, it } from '@jest/globals';
import { toResult } from '../../../src/backends/openai/result.ts';
import type { AnswerShape } from '../../../src/core/kind.ts';

function callsOf(calls: readonly object[], firstCallOnly = false): unknown {
  let ids = 0;
  const shape: AnswerShape = {
    id: 'chatcmpl-own',
    created: 1,
    model: 'asked-for',
    fingerprint: 'fp_own',
    isStream: false,
    index: 0,
    choices: 1,
    isPart: false,
    includeUsage: false,
    reasoningKeys: 'both',
    logprobs: false,
    firstCallOnly,
    legacyFunctions: false,
    customTools: [],
    newId: () => `ID${String(ids++)}`,
  };
  const message = { role: 'assistant', content: null, tool_calls: calls };
  const { body } = toResult(
    JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }] }),
    shape,
  );
  return (body.choices as { message: { tool_calls: unknown } }[])[0]?.message.tool_calls;
}

describe('the calls of a whole answer', () => {
  it('each have an id of their own', () => {
    expect(
      callsOf([
        { id: 'x', function: { name: 'a', arguments: '{}' } },
        { id: 'x', function: { name: 'b', arguments: null } },
        { id: '', function: { name: 'c', arguments: { y: 2 } } },
      ]),
    ).toEqual([
      { id: 'x', type: 'function', function: { name: 'a', arguments: '{}' } },
      { id: 'call_ID0', type: 'function', function: { name: 'b', arguments: '{}' } },
      { id: 'call_ID1', type: 'function', function: { name: 'c', arguments: '{"y":2}' } },
    ]);
  });

  it('are one when only one was asked for', () => {
    const calls = ['a', 'b'].map((name) => ({ id: name, function: { name, arguments: '{}' } }));
    expect(callsOf(calls, true)).toHaveLength(1);
  });

  it.each([[{ id: 'x' }], [{ id: 'x', function: { arguments: '{}' } }]])(
    'are no answer when one has no name: %j',
    (call) => {
      expect(() => callsOf([call])).toThrow(expect.objectContaining({ reason: 'tool_call_parse_error' }));
    },
  );
});
