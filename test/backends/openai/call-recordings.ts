/** Tool calls as compatible servers stream them: every call must reach the client once, whole and by its own number. */

import type { Recording } from './recordings.ts';

/** A chunk of these pieces of calls. */
const calls = (...pieces: readonly object[]): object => ({
  id: 'chatcmpl-3',
  created: 1700000000,
  choices: [{ index: 0, delta: { tool_calls: pieces }, finish_reason: null }],
});
const STOP = { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };

const ROLE = { delta: { role: 'assistant', content: null }, finish: null };
const DONE = [{ delta: {}, finish: 'tool_calls' }, '[DONE]'];
const told = (...pieces: readonly object[]): object => ({ delta: { tool_calls: pieces }, finish: null });
const begun = (index: number, id: string, name: string, text: string): object => ({
  index,
  id,
  type: 'function',
  function: { name, arguments: text },
});
const more = (index: number, text: string): object => ({ index, function: { arguments: text } });
const fn = (name: string, text?: string): object => ({
  function: { name, ...(text !== undefined && { arguments: text }) },
});

const TWO = [
  ROLE,
  told(begun(0, 'call_ID', 'a', '{"x":1}')),
  told(begun(1, 'call_ID', 'b', '{"y":2}')),
  ...DONE,
];

function record(title: string, given: readonly object[], out: readonly unknown[]): Recording {
  return { title: `calls: ${title}`, in: [...given, STOP, '[DONE]'], out };
}

export const CALL_RECORDINGS: readonly Recording[] = [
  record(
    'two without ids that both claim number 0',
    [calls({ index: 0, ...fn('a', '{"x":1}') }), calls({ index: 0, ...fn('b', '{"y":2}') })],
    TWO,
  ),
  record('two without ids and numbers', [calls(fn('a', '{"x":1}')), calls(fn('b', '{"y":2}'))], TWO),
  record(
    'two without ids and numbers in one delta',
    [calls(fn('a', '{"x":1}'), fn('b', '{"y":2}'))],
    [ROLE, told(begun(0, 'call_ID', 'a', '{"x":1}'), begun(1, 'call_ID', 'b', '{"y":2}')), ...DONE],
  ),
  record(
    'two of the same function without ids, each whole',
    [calls({ index: 0, ...fn('a', '{}') }), calls({ index: 0, ...fn('a', '{"y":2}') })],
    [ROLE, told(begun(0, 'call_ID', 'a', '{}')), told(begun(1, 'call_ID', 'a', '{"y":2}')), ...DONE],
  ),
  record(
    'two of the same function without ids and arguments',
    [calls({ index: 0, ...fn('a', '') }), calls({ index: 0, ...fn('a', '') })],
    [
      ROLE,
      told(begun(0, 'call_ID', 'a', '')),
      told(begun(1, 'call_ID', 'a', '')),
      told(more(0, '{}'), more(1, '{}')),
      ...DONE,
    ],
  ),
  record(
    'two with the same id',
    [calls({ index: 0, id: 'x', ...fn('a', '{"x":1}') }, { index: 1, id: 'x', ...fn('b', '{"y":2}') })],
    [ROLE, told(begun(0, 'x', 'a', '{"x":1}'), begun(1, 'call_ID', 'b', '{"y":2}')), ...DONE],
  ),
  record(
    'two with the same id and without numbers',
    [calls({ id: 'x', ...fn('a', '{"x":1}') }), calls({ id: 'x', ...fn('b', '{"y":2}') })],
    [ROLE, told(begun(0, 'x', 'a', '{"x":1}')), told(begun(1, 'call_ID', 'b', '{"y":2}')), ...DONE],
  ),
  record(
    'two in turns, told apart by their numbers',
    [
      calls({ index: 0, id: 'x', ...fn('a', '{"x"') }, { index: 1, id: 'y', ...fn('b', '{"y"') }),
      calls({ index: 0, function: { arguments: ':1}' } }),
      calls({ index: 1, function: { arguments: ':2}' } }),
    ],
    [
      ROLE,
      told(begun(0, 'x', 'a', '{"x"'), begun(1, 'y', 'b', '{"y"')),
      told(more(0, ':1}')),
      told(more(1, ':2}')),
      ...DONE,
    ],
  ),
  record(
    'two in turns, told apart by their ids',
    [
      calls({ id: 'x', ...fn('a', '{"x"') }, { id: 'y', ...fn('b', '{"y"') }),
      calls({ id: 'x', function: { arguments: ':1}' } }),
      calls({ id: 'y', function: { arguments: ':2}' } }),
    ],
    [
      ROLE,
      told(begun(0, 'x', 'a', '{"x"'), begun(1, 'y', 'b', '{"y"')),
      told(more(0, ':1}')),
      told(more(1, ':2}')),
      ...DONE,
    ],
  ),
  record(
    'one whose id and name are repeated with every piece',
    [
      calls({ index: 0, id: 'x', ...fn('a', '{"q":{"r":1}') }),
      calls({ index: 0, id: 'x', ...fn('a', '') }),
      calls({ index: 0, id: 'x', ...fn('a', '}') }),
    ],
    [ROLE, told(begun(0, 'x', 'a', '{"q":{"r":1}')), told(more(0, '}')), ...DONE],
  ),
  record(
    'one whose name is repeated with every piece, without an id',
    [
      calls({ index: 0, ...fn('a', '') }),
      calls({ index: 0, ...fn('a', '{"q"') }),
      calls({ index: 0, ...fn('a', ':1}') }),
    ],
    [ROLE, told(begun(0, 'call_ID', 'a', '')), told(more(0, '{"q"')), told(more(0, ':1}')), ...DONE],
  ),
  record(
    'one that has another id with every piece (old vLLM)',
    [
      calls({ index: 0, id: 'x1', ...fn('a') }),
      calls({ index: 0, id: 'x2', function: { arguments: '{"q"' } }),
      calls({ index: 0, id: 'x3', function: { arguments: ':1}' } }),
    ],
    [ROLE, told(begun(0, 'x1', 'a', '')), told(more(0, '{"q"')), told(more(0, ':1}')), ...DONE],
  ),
  record(
    'one without arguments',
    [calls({ index: 0, id: 'x', ...fn('a', '') })],
    [ROLE, told(begun(0, 'x', 'a', '')), told(more(0, '{}')), ...DONE],
  ),
  record(
    'one with arguments of null',
    [calls({ index: 0, id: 'x', function: { name: 'a', arguments: null } })],
    [ROLE, told(begun(0, 'x', 'a', '')), told(more(0, '{}')), ...DONE],
  ),
  record(
    'a custom one without input, which may be empty',
    [calls({ index: 0, id: 'x', type: 'custom', custom: { name: 'a', input: '' } })],
    [ROLE, told({ index: 0, id: 'x', type: 'custom', custom: { name: 'a', input: '' } }), ...DONE],
  ),
  record(
    'one whose name comes after its id and the first of its arguments',
    [
      calls({ index: 0, id: 'x', type: 'function' }),
      calls({ index: 0, function: { arguments: '{"q"' } }),
      calls({ index: 0, ...fn('late', ':1}') }),
    ],
    [ROLE, told(begun(0, 'x', 'late', '{"q":1}')), ...DONE],
  ),
  record(
    'one whose id comes after its name, and is repeated with it',
    [
      calls({ index: 0, ...fn('a', '') }),
      calls({ index: 0, id: 'late', function: { arguments: '{"q":{}' } }),
      calls({ index: 0, id: 'late', ...fn('a', '}') }),
    ],
    [ROLE, told(begun(0, 'call_ID', 'a', '')), told(more(0, '{"q":{}')), told(more(0, '}')), ...DONE],
  ),
  record(
    'one whose id comes alone, where another one was',
    [
      calls({ index: 0, id: 'x', ...fn('a', '{"x":1}') }),
      calls({ index: 0, id: 'y', type: 'function' }),
      calls({ index: 0, ...fn('b', '{"y":2}') }),
    ],
    [ROLE, told(begun(0, 'x', 'a', '{"x":1}')), told(begun(1, 'y', 'b', '{"y":2}')), ...DONE],
  ),
  record(
    'numbers that are none, ids that are none, arguments that are an object',
    [
      calls({ index: '0', id: 7, function: { name: 'a', arguments: { x: 1 } } }),
      calls({ index: -1, id: 'y', ...fn('b', '{"y":2}') }),
    ],
    [ROLE, told(begun(0, 'call_ID', 'a', '{"x":1}')), told(begun(1, 'y', 'b', '{"y":2}')), ...DONE],
  ),
  record(
    'one that is announced and never comes',
    [
      calls({ index: 0, id: 'x', ...fn('a', '{}') }),
      calls({ index: 1, id: 'y', function: { arguments: '' } }),
    ],
    [ROLE, told(begun(0, 'x', 'a', '{}')), ...DONE],
  ),
  record(
    'one that has arguments and never a name',
    [calls({ index: 0, id: 'x', function: { arguments: '{"q":1}' } })],
    [{ error: 'tool_call_parse_error' }],
  ),
  record(
    'one that has more arguments than anybody holds for a name',
    [
      calls({ index: 0, id: 'x', function: { arguments: 'x'.repeat(70_000) } }),
      calls({ index: 0, ...fn('a') }),
    ],
    [{ error: 'tool_call_parse_error' }],
  ),
];
