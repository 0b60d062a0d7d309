/** Answers in one piece: what every kind of backend says becomes the chat.completion of the contract. */

import { describe, expect, it } from '@jest/globals';
import { createSetup, KINDS_OF_STREAM } from '../support/setup.ts';
import { expectAnswer } from './answers.ts';
import { saysAs, type Saying } from './sayings.ts';

const setup = createSetup();
const CHAT = 'POST /v1/chat/completions';

const call = (name: string, args: object): object => ({
  id: expect.stringMatching(/./),
  type: 'function',
  function: { name, arguments: JSON.stringify(args) },
});

/** What is said, the message that must come of it, and its finish reason. */
const SAYINGS: readonly (readonly [string, Saying, object, string])[] = [
  ['text', { text: ['Hel', 'lo “🌍”'] }, { content: 'Hello “🌍”' }, 'stop'],
  ['text that is cut at the limit', { text: ['Once'], isCut: true }, { content: 'Once' }, 'length'],
  ['nothing', { text: [''] }, { content: '' }, 'stop'],
  [
    'thinking and text',
    { thinking: ['Let me', ' see.'], text: ['Yes.'] },
    { content: 'Yes.', reasoning: 'Let me see.', reasoning_content: 'Let me see.' },
    'stop',
  ],
  [
    'calls of tools without text',
    {
      calls: [
        { name: 'f', arguments: { city: 'Oslo' } },
        { name: 'g', arguments: {} },
      ],
    },
    { content: null, tool_calls: [call('f', { city: 'Oslo' }), call('g', {})] },
    'tool_calls',
  ],
  [
    'text and a call of a tool',
    { text: ['One moment.'], calls: [{ name: 'f', arguments: { a: [1] } }] },
    { content: 'One moment.', tool_calls: [call('f', { a: [1] })] },
    'tool_calls',
  ],
];

describe.each(KINDS_OF_STREAM)('an answer of %s in one piece', (_, variable) => {
  it.each(SAYINGS)('with %s has the form of the contract', async (_name, saying, message, finish) => {
    const backend = await setup.backend(saysAs(saying));
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const { status, body } = await expectAnswer(CHAT, await gateway.chat());
    expect(status).toBe(200);
    expect(body).toMatchObject({
      model: 'm',
      choices: [{ index: 0, logprobs: null, finish_reason: finish }],
      usage: { prompt_tokens: 9, completion_tokens: 7, total_tokens: 16 },
    });
    const { choices } = body as { choices: { message: unknown }[] };
    expect(choices.map((choice) => choice.message)).toEqual([
      { role: 'assistant', refusal: null, annotations: [], ...message },
    ]);
  });

  it('hides thinking when the operator wants it hidden', async () => {
    const backend = await setup.backend(saysAs({ thinking: ['secret'], text: ['Yes.'] }));
    const gateway = await setup.gateway({ env: { [variable]: backend.url, REASONING_KEYS: 'none' } });
    const { body } = await expectAnswer(CHAT, await gateway.chat());
    expect(JSON.stringify(body)).not.toMatch(/secret|reasoning(_content)?"/);
  });
});
