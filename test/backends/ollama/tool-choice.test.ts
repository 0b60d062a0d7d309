/** tool_choice on Ollama: what is asked of the server, and what becomes of what the model prints. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ollama } from '../../../src/backends/ollama/index.ts';
import { isJsonObject, type JsonObject } from '../../../src/core/json.ts';
import { saidBy, targetOf } from './support.ts';
import { toChatRequest } from '../../../src/surfaces/openai-chat/request.ts';

const CITY = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const tool = (name: string, parameters: JsonObject = CITY): JsonObject => ({
  type: 'function',
  function: { name, parameters },
});
const named = (name: string): JsonObject => ({ type: 'function', function: { name } });
const custom = (name: string): JsonObject => ({ type: 'custom', custom: { name } });

const QUESTION = { model: 'm', messages: [{ role: 'user', content: 'q' }] };

function asked(members: JsonObject): JsonObject {
  const request = toChatRequest(JSON.stringify({ ...QUESTION, ...members }));
  return JSON.parse(ollama.chatRequest(request, targetOf()).body ?? '') as JsonObject;
}

const namesOf = ({ tools = [] }: JsonObject): unknown[] =>
  (tools as { function: { name: string } }[]).map((each) => each.function.name);

describe('a request with tool_choice', () => {
  const tools = [tool('f'), tool('g')];

  it('none keeps the tools from the model', () => {
    expect(asked({ tools, tool_choice: 'none' })).not.toHaveProperty('tools');
  });

  it('auto sends all of them, allowed_tools the allowed ones', () => {
    expect(namesOf(asked({ tools, tool_choice: 'auto' }))).toEqual(['f', 'g']);
    const choice = { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [named('g')] } };
    expect(namesOf(asked({ tools, tool_choice: choice }))).toEqual(['g']);
  });

  it.each([
    ['named', named('f')],
    [
      'the only one allowed and required',
      { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [named('f')] } },
    ],
  ])('%s makes the model print the arguments', (_, choice) => {
    const body = asked({ tools, tool_choice: choice });
    expect(body).not.toHaveProperty('tools');
    expect(body.format).toEqual(CITY);
    expect(JSON.stringify(body.messages)).toContain('\\"name\\":\\"f\\"');
  });

  it('required lets it choose among several', () => {
    const { format } = asked({ tools, tool_choice: 'required' });
    expect(format).toEqual({
      anyOf: ['f', 'g'].map((name) => ({
        type: 'object',
        properties: { name: { type: 'string', enum: [name] }, arguments: CITY },
        required: ['name', 'arguments'],
      })),
    });
  });

  it('has no reference in it that would lead elsewhere', () => {
    const parameters = {
      type: 'object',
      properties: { at: { $ref: '#/$defs/place' } },
      $defs: { place: { type: 'object', properties: { city: { type: 'string' } } } },
    };
    const { format } = asked({ tools: [tool('f', parameters), tool('g')], tool_choice: 'required' });
    expect(JSON.stringify(format)).not.toContain('$ref');
    expect(JSON.stringify(format)).toContain('"city"');
  });

  it('tells the model with the words of the system, and adds no second system message', () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'q' },
    ];
    const body = asked({ messages, tools, tool_choice: named('f') });
    const roles = (body.messages as { role: string }[]).map(({ role }) => role);
    expect(roles).toEqual(['system', 'user']);
    expect(JSON.stringify(body.messages)).toContain('Be brief.');
  });

  it('of the older form is the same', () => {
    const functions = [{ name: 'f', parameters: CITY }];
    expect(namesOf(asked({ functions }))).toEqual(['f']);
    expect(asked({ functions, function_call: 'none' })).not.toHaveProperty('tools');
    expect(asked({ functions, function_call: { name: 'f' } }).format).toEqual(CITY);
  });

  it('sends a custom tool as a function with one text, and refuses a grammar', () => {
    const [sent] = asked({ tools: [custom('c')] }).tools as [{ function: { parameters: JsonObject } }];
    expect(sent.function.parameters).toMatchObject({
      properties: { input: { type: 'string' } },
      required: ['input'],
    });
    const withGrammar = { type: 'custom', custom: { name: 'c', format: { type: 'grammar' } } };
    expect(() => asked({ tools: [tool('f'), withGrammar] })).toThrow(
      expect.objectContaining({ status: 400, param: 'tools[1].custom.format' }),
    );
  });
});

describe('what the model prints', () => {
  const request = (members: JsonObject): JsonObject => ({
    ...QUESTION,
    tools: [tool('f'), tool('g')],
    ...members,
  });
  const printed = JSON.stringify({ name: 'g', arguments: { city: 'Köln "}{" \\', at: [{ n: 1 }] } });

  /** Cuts a text anywhere, surrogate pairs included: the server would never, a reader must not care. */
  const pieces = (text: string) =>
    fc
      .uniqueArray(fc.integer({ min: 1, max: text.length - 1 }), { maxLength: 12 })
      .map((cuts) => [0, ...cuts.sort((a, b) => a - b), text.length])
      .map((at) => at.slice(1).map((end, i) => text.slice(at[i], end)));

  it('is the call it chose, however it is cut', () => {
    fc.assert(
      fc.property(pieces(printed), fc.boolean(), (said, stream) => {
        const { calls, finish, text } = saidBy(request({ tool_choice: 'required', stream }), said);
        expect(calls).toEqual([
          { name: 'g', arguments: printed.slice('{"name":"g","arguments":'.length, -1) },
        ]);
        expect({ finish, text }).toEqual({ finish: 'tool_calls', text: '' });
      }),
    );
  });

  it('is the arguments of the named function, however it is cut', () => {
    const args = JSON.stringify({ city: 'Köln "}{" \\', at: [{ n: 1 }] });
    fc.assert(
      fc.property(pieces(args), fc.boolean(), (said, stream) => {
        const { calls, finish, text } = saidBy(request({ tool_choice: named('f'), stream }), said);
        expect(calls).toEqual([{ name: 'f', arguments: args }]);
        expect({ finish, text }).toEqual({ finish: 'tool_calls', text: '' });
      }),
    );
  });

  it('is the arguments of the named function, piece by piece', () => {
    const { calls, finish, events } = saidBy(request({ tool_choice: named('f'), stream: true }), [
      '{"ci',
      'ty":1}',
    ]);
    expect(calls).toEqual([{ name: 'f', arguments: '{"city":1}' }]);
    expect(finish).toBe('tool_calls');
    // The head with the name, two pieces, the finish.
    expect(events.filter((event) => isJsonObject(event))).toHaveLength(4);
  });

  it('is a function call in the older form', () => {
    const body = { ...QUESTION, functions: [{ name: 'f' }], function_call: { name: 'f' } };
    for (const stream of [true, false]) {
      expect(saidBy({ ...body, stream }, ['{"a"', ':1}'])).toMatchObject({
        functionCall: { name: 'f', arguments: '{"a":1}' },
        finish: 'function_call',
      });
    }
  });

  it('is the text of a custom tool, whole', () => {
    const body = { ...QUESTION, tools: [custom('c')], tool_choice: custom('c') };
    for (const stream of [true, false]) {
      expect(saidBy({ ...body, stream }, ['{"input":"a', '\\nb"}'])).toMatchObject({
        customCalls: [{ name: 'c', input: 'a\nb' }],
        finish: 'tool_calls',
      });
    }
  });

  it.each([
    ['nothing', [] as string[], 'required'],
    ['something else', ['I would rather not.'], 'required'],
    ['a call of what was not offered', ['{"name":"evil","arguments":{}}'], 'required'],
    ['arguments that are a text', ['{"name":"f","arguments":"{}"}'], 'required'],
    ['a call that is not closed', ['{"name":"f","arguments":{"a":'], 'required'],
    ['a call that is closed by something else', ['{"name":"f","arguments":{"a":[1}]}}'], 'required'],
    ['no arguments of the one function', [], named('f')],
    ['something else than the arguments of the one function', ['Sorry, I ', 'cannot.'], named('f')],
    ['a list', ['[{"a":1}]'], named('f')],
    ['arguments that are not closed', ['{"a":', '{"b":1}'], named('f')],
    ['arguments that end in a text', ['{"a":"}'], named('f')],
    ['arguments that are closed by something else', ['{"a":[1}]'], named('f')],
    ['arguments without a bottom', ['{"a":' + '['.repeat(2000)], named('f')],
  ])('is a failure when it is %s', (_, said, choice) => {
    for (const stream of [true, false]) {
      expect(() => saidBy(request({ tool_choice: choice, stream }), said)).toThrow(
        expect.objectContaining({ reason: 'tool_call_parse_error' }),
      );
    }
  });

  it('may begin with white space', () => {
    const body = request({ tool_choice: named('f'), stream: true });
    expect(saidBy(body, [' \n', '{}']).calls).toEqual([{ name: 'f', arguments: '{}' }]);
  });

  it('is over with its brace, whatever follows', () => {
    expect(saidBy(request({ tool_choice: named('f') }), ['{"a":"}"}', ' and', ' more']).calls).toEqual([
      { name: 'f', arguments: '{"a":"}"}' },
    ]);
  });

  it('is cut off when the model was', () => {
    for (const [choice, said] of [
      ['required', '{"na'],
      ['required', '{"name":"f","arguments":{"a'],
      [named('f'), '{"a":1'],
      [named('f'), ''],
    ] as const) {
      const { finish } = saidBy(request({ tool_choice: choice, stream: true }), [said], 'length');
      expect(finish).toBe('length');
    }
  });
});

it('arguments of earlier calls go back to the last digit', () => {
  const messages = [
    { role: 'user', content: 'q' },
    {
      role: 'assistant',
      tool_calls: [
        {
          id: 'c1',
          type: 'function',
          function: { name: 'f', arguments: '{"id": 9007199254740993, "10": 1, "2": 1e400}' },
        },
      ],
    },
    { role: 'tool', tool_call_id: 'c1', content: 'r' },
  ];
  const sent = ollama.chatRequest(toChatRequest(JSON.stringify({ ...QUESTION, messages })), targetOf());
  expect(sent.body).toContain('"arguments":{"id": 9007199254740993, "10": 1, "2": 1e400}');
});
