/** Answers of every kind of backend as OpenAI's text completions. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { JsonObject } from '../../../src/core/json.ts';
import type { KindName } from '../../../src/core/fleet.ts';
import type { ByteText } from '../../../src/core/stream.ts';
import { encodeUtf8 } from '../../../src/wire/utf8.ts';
import { chunk, events, eventsOf, operationOf, records, textOf, told, type Payload } from './support.ts';

const SAY = {
  ollama: (words: readonly string[]): ByteText =>
    records(...words.map((response) => ({ model: 'm', response, done: false })), {
      model: 'm',
      response: '',
      done: true,
      done_reason: 'length',
      context: [1, 2],
    }),
  vllm: (words: readonly string[]): ByteText =>
    events(...words.map((word) => chunk(word)), chunk('', 'length')),
};

describe.each(['ollama', 'vllm'] as const)('a stream of %s', (kind) => {
  it('says the same whatever the reads were', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { maxLength: 6 }),
        fc.array(fc.nat({ max: 400 }), { maxLength: 8 }),
        (words, cuts) => {
          const bytes = SAY[kind](words);
          const places = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
          const pieces = places.slice(1).map((end, i) => bytes.slice(places[i], end) as ByteText);
          const sent = told(operationOf({ stream: true }), kind, pieces);
          expect(textOf(sent)).toBe(words.join(''));
          expect(sent).toBe(told(operationOf({ stream: true }), kind, [bytes]));
          expect(eventsOf(sent).at(-1)).toBe('[DONE]');
        },
      ),
    );
  });
});

function answerOf(body: JsonObject, kind: KindName, upstream: ByteText): Payload {
  return JSON.parse(told(operationOf(body), kind, [upstream])) as Payload;
}

const whole = (answer: object): ByteText => encodeUtf8(JSON.stringify(answer));

describe('Ollama', () => {
  it('tells a long answer in one piece without counting it over and over', () => {
    const words = Array<string>(30_000).fill('token');
    const { choices } = answerOf({}, 'ollama', SAY.ollama(words));
    expect(choices?.[0]?.text).toHaveLength(150_000);
  });

  it('keeps thinking to itself, and counts characters of tokens that are pieces of one', () => {
    const upstream = records(
      { response: '', thinking: 'Hm', done: false },
      {
        response: '🦓',
        done: false,
        logprobs: [
          { token: '\ufffd', logprob: -1, bytes: [0xf0, 0x9f] },
          { token: '\ufffd', logprob: -2, bytes: [0xa6, 0x93] },
        ],
      },
      { response: '!', done: false, logprobs: [{ token: '!', logprob: -3 }] },
      { response: '', done: true, done_reason: 'load' },
    );
    const [choice] = answerOf({ prompt: '🦒', echo: true, logprobs: 0 }, 'ollama', upstream).choices ?? [];
    expect(choice).toEqual({
      text: '🦒🦓!',
      index: 0,
      logprobs: {
        tokens: ['bytes:\\xf0\\x9f', 'bytes:\\xa6\\x93', '!'],
        token_logprobs: [-1, -2, -3],
        top_logprobs: [{ 'bytes:\\xf0\\x9f': -1 }, { 'bytes:\\xa6\\x93': -2 }, { '!': -3 }],
        text_offset: [1, 2, 2],
      },
      finish_reason: 'stop',
    });
  });

  it.each([
    [{ error: 'boom' }, 'upstream_error', null],
    [{ error: 'the input exceeds the context length' }, 'context_length_exceeded', 'prompt'],
  ])('fails in the stream with %j and is not done', (record, code, param) => {
    const upstream = records({ response: 'a', done: false }, record);
    const sent = eventsOf(told(operationOf({ stream: true }), 'ollama', [upstream]));
    expect(sent).toMatchObject([{ choices: [{ text: 'a' }] }, { error: { code, param } }]);
    expect(sent).toHaveLength(2);
  });
});

describe('a compatible server', () => {
  it('without echo has it done by the gateway', () => {
    const stream = events(chunk(''), chunk(' upon'), chunk('', 'stop'));
    expect(textOf(told(operationOf({ echo: true, stream: true }), 'llamacpp', [stream]))).toBe('Once upon');
    expect(textOf(told(operationOf({ echo: true, stream: true }), 'vllm', [stream]))).toBe(' upon');
    const body = whole(chunk(' upon', 'stop'));
    expect(answerOf({ echo: true }, 'lmstudio', body)).toMatchObject({ choices: [{ text: 'Once upon' }] });
    expect(answerOf({ echo: true }, 'openai', body)).toMatchObject({ choices: [{ text: ' upon' }] });
  });

  it('that writes the probabilities of a chat is put right', () => {
    const logprobs = (token: string): object => ({ logprobs: { content: [{ id: 1, token, logprob: -1 }] } });
    const stream = events(chunk(' up', null, logprobs(' up')), chunk('on', 'stop', logprobs('on')));
    const sent = eventsOf(told(operationOf({ echo: true, stream: true, logprobs: 1 }), 'llamacpp', [stream]));
    expect(sent).toMatchObject([
      { choices: [{ text: 'Once up', logprobs: { tokens: [' up'], text_offset: [4] } }] },
      { choices: [{ text: 'on', logprobs: { tokens: ['on'], text_offset: [7] } }] },
      '[DONE]',
    ]);
  });

  it('loses no token that has no text of its own yet', () => {
    const lists = { tokens: ['x'], token_logprobs: [-1], top_logprobs: null, text_offset: [0] };
    const stream = events(chunk('', null, { logprobs: lists }), chunk('é', 'stop'));
    const sent = eventsOf(told(operationOf({ stream: true, logprobs: 0 }), 'vllm', [stream]));
    expect(sent).toMatchObject([{ choices: [{ text: '', logprobs: lists }] }, {}, '[DONE]']);
  });

  it.each([
    ['tool_calls', 'stop'],
    ['eos', 'stop'],
    ['content_filter', 'content_filter'],
  ])('finishes with %s as %s', (given, finish) => {
    expect(answerOf({}, 'vllm', whole(chunk('a', given)))).toMatchObject({
      choices: [{ finish_reason: finish }],
    });
  });

  it.each([
    ['an error in place of an answer', { error: { message: 'boom', code: 500 } }, 'upstream_error'],
    ['no finish', chunk('a'), 'upstream_incomplete_response'],
    ['no choices', { choices: [] }, 'upstream_invalid_response'],
  ])('that sends %s has failed', (_, body, code) => {
    const [event] = eventsOf(told(operationOf({}), 'vllm', [whole(body)]));
    expect(event).toMatchObject({ error: { code } });
  });

  it.each([
    'event: error\ndata: {"message":"gone"}\n\n',
    'error: {"message":"gone"}\n\n',
    'event: error\ndata: gone\n\n',
  ])('that names an event so has failed: %j', (event) => {
    const sent = eventsOf(
      told(operationOf({ stream: true }), 'vllm', [
        encodeUtf8(`data: ${JSON.stringify(chunk('a'))}\n\n${event}`),
      ]),
    );
    expect(sent.at(-1)).toMatchObject({ error: { message: 'gone', code: 'upstream_error' } });
  });

  it('has not answered before every choice has its end', () => {
    const half = events(chunk('a', 'stop'), chunk('b', null, { index: 1 }));
    const sent = eventsOf(told(operationOf({ n: 2, stream: true }), 'vllm', [half]));
    expect(sent.at(-1)).toMatchObject({ error: { code: 'upstream_incomplete_response' } });
  });
});
