/** Messages on their way to Ollama: places in errors are those of the request, and somebody has spoken. */

import { describe, expect, it } from '@jest/globals';
import { ollama } from '../../../src/backends/ollama/index.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Target, UpstreamModel } from '../../../src/core/fleet.ts';
import { toChatRequest } from '../../../src/surfaces/openai-chat/request.ts';
import { targetOf } from './support.ts';

const USER = { role: 'user', content: 'q' };
const system = (content: string): JsonObject => ({ role: 'system', content });
const FORCED = { tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: 'required' };

interface Sent {
  readonly role: string;
  readonly content: string;
}

function sent(members: JsonObject, target: Target = targetOf()): Sent[] {
  const request = toChatRequest(JSON.stringify({ model: 'm', messages: [USER], ...members }));
  return (JSON.parse(ollama.chatRequest(request, target).body ?? '') as { messages: Sent[] }).messages;
}

const rolesOf = (messages: readonly Sent[]): string[] => messages.map(({ role }) => role);

describe('an error', () => {
  const GIF = { type: 'image_url', image_url: { url: 'data:image/gif;base64,R0lGODlhAQABAAAAACw=' } };

  it.each([
    ['alone', {}],
    ['behind the note of a forced choice', FORCED],
  ])('names the part of the request that it is about: %s', (_, members) => {
    const messages = [USER, { role: 'assistant', content: 'a' }, { role: 'user', content: [GIF] }];
    expect(() => sent({ messages, ...members })).toThrow(
      expect.objectContaining({ param: 'messages[2].content[0].image_url' }),
    );
  });

  it('names the tool of the request that it is about', () => {
    const tool = (name: string): JsonObject => ({ type: 'function', function: { name } });
    const grammar = { type: 'custom', custom: { name: 'c', format: { type: 'grammar' } } };
    const choice = {
      type: 'allowed_tools',
      allowed_tools: { mode: 'auto', tools: [{ type: 'custom', custom: { name: 'c' } }] },
    };
    const members = { tools: [tool('a'), tool('b'), grammar], tool_choice: choice };
    expect(() => sent(members)).toThrow(expect.objectContaining({ param: 'tools[2].custom.format' }));
  });
});

describe('the note of a forced choice', () => {
  it('goes behind the words of the first system message, and nowhere else', () => {
    const messages = sent({ messages: [system('Be brief.'), USER, system('Now.')], ...FORCED });
    expect(rolesOf(messages)).toEqual(['system', 'user', 'system']);
    expect(messages[0]?.content).toMatch(/^Be brief\.\n\nCall this function now\./);
    expect(messages[2]?.content).toBe('Now.');
  });

  it('does not keep the model’s own words from it, which Ollama says when nobody else does', () => {
    const messages = sent(FORCED, targetOf({ system: 'You are a pirate.' }));
    expect(rolesOf(messages)).toEqual(['system', 'user']);
    expect(messages[0]?.content).toMatch(/^You are a pirate\.\n\nCall this function now\./);
    expect(rolesOf(sent({}, targetOf({ system: 'You are a pirate.' })))).toEqual(['user']);
  });
});

describe('a model of Ollama Cloud', () => {
  const CLOUD: readonly (readonly [string, string, Partial<UpstreamModel>])[] = [
    ['by its tag', 'gpt-oss:120b-cloud', {}],
    ['by its other tag', 'glm:cloud', {}],
    ['by what it says of itself', 'm', { isRemote: true }],
  ];

  it.each(CLOUD)(
    'known %s is asked by the last message when only the system has spoken',
    (_, name, model) => {
      const target = { ...targetOf(model), upstreamModel: name };
      const messages = [system('a'), { role: 'developer', content: 'b' }];
      expect(sent({ messages }, target)).toEqual([system('a'), { role: 'user', content: 'b' }]);
      expect(rolesOf(sent({ messages: [system('a'), USER] }, target))).toEqual(['system', 'user']);
    },
  );

  it('is the only one for which a role is changed', () => {
    expect(rolesOf(sent({ messages: [system('a')] }))).toEqual(['system']);
  });
});

describe('what was said before', () => {
  it('is one text when an answer came in parts', () => {
    const part = (text: string): JsonObject => ({ type: 'text', text });
    const messages = [
      { role: 'user', content: [part('a'), part('b')] },
      { role: 'assistant', content: [part('a'), part('b'), { type: 'refusal', refusal: 'c' }] },
      USER,
    ];
    expect(sent({ messages }).map(({ content }) => content)).toEqual(['a\nb', 'abc', 'q']);
  });

  it('has an id for calls in the older form, and for their results', () => {
    const call = (city: string): JsonObject => ({
      role: 'assistant',
      content: null,
      function_call: { name: 'weather', arguments: JSON.stringify({ city }) },
    });
    const result = { role: 'function', name: 'weather', content: 'sun' };
    const [, first, firstResult, second, secondResult] = sent({
      messages: [USER, call('Paris'), result, call('Rome'), result],
    }) as (Sent & { tool_calls?: { id: string }[]; tool_call_id?: string })[];
    const ids = [first, second].map((message) => message?.tool_calls?.[0]?.id);
    expect(new Set(ids).size).toBe(2);
    expect([firstResult, secondResult].map((message) => message?.tool_call_id)).toEqual(ids);
  });
});
