/** Recorded requests: what a client asked, and what Ollama must be asked. */

import { describe, expect, it } from '@jest/globals';
import { ollama } from '../../src/backends/ollama/index.ts';
import type { GatewayError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Target } from '../../src/core/fleet.ts';
import { toChatRequest } from '../../src/surfaces/openai-chat/request.ts';
import { targetOf } from '../backends/ollama/support.ts';
import { more } from './vectors.ts';

interface RequestVector {
  readonly id: string;
  readonly title: string;
  readonly openai: JsonObject;
  readonly ollama: JsonObject;
  readonly showParameters?: string;
}

const QUESTION = { model: 'm', messages: [{ role: 'user', content: 'q' }] };

/** Its base64 has characters of both alphabets, and padding. */
const PNG = Buffer.from('\x89PNG\r\n\x1a\n\xfb\xff\xfe', 'latin1');

function askOllama(body: JsonObject, target: Target): JsonObject {
  const request = toChatRequest(JSON.stringify({ ...QUESTION, ...body }));
  const upstream = ollama.chatRequest(request, { ...target, upstreamModel: request.body.model });
  expect(upstream).toMatchObject({ method: 'POST', path: '/api/chat' });
  return JSON.parse(upstream.body ?? '') as JsonObject;
}

const vectors = more.filter(
  (vector) => 'openai' in vector && 'ollama' in vector,
) as unknown as RequestVector[];

describe('a request to Ollama', () => {
  it.each(vectors.map((vector) => [`${vector.id}: ${vector.title}`, vector] as const))('%s', (_, vector) => {
    const stops = vector.showParameters === undefined ? [] : ['<|eot_id|>'];
    const body = askOllama(vector.openai, targetOf({ stops }));
    if ('messages' in vector.openai) expect(body).toEqual(vector.ollama);
    else expect(body).toMatchObject(vector.ollama);
  });

  it.each([
    ['none', false],
    ['minimal', 'low'],
    ['low', 'low'],
    ['medium', 'medium'],
    ['high', 'high'],
    ['xhigh', 'max'],
    ['max', 'max'],
  ])('turns reasoning_effort %s into think %s', (effort, think) => {
    expect(
      askOllama({ reasoning_effort: effort }, targetOf({ capabilities: ['completion', 'thinking'] })).think,
    ).toBe(think);
  });

  it('leaves think to the server when no effort was asked for, or the model cannot think', () => {
    expect(askOllama({}, targetOf())).not.toHaveProperty('think');
    const target = targetOf({ capabilities: ['completion'] });
    expect(askOllama({ reasoning_effort: 'high' }, target)).not.toHaveProperty('think');
  });

  it('asks old servers and gpt-oss for no level that they do not know', () => {
    expect(askOllama({ reasoning_effort: 'max' }, targetOf({}, '0.21.2')).think).toBe('high');
    expect(askOllama({ reasoning_effort: 'max' }, targetOf({}, '0.0.0')).think).toBe('max');
    const gptOss = targetOf({ family: 'gptoss' });
    expect(askOllama({ reasoning_effort: 'none' }, gptOss).think).toBe('low');
    expect(askOllama({ reasoning_effort: 'max' }, gptOss).think).toBe('high');
  });

  it.each([
    [-1, 4294967294],
    [0, 0],
    [4294967295, 0],
    ['9223372036854775807', Number(9223372036854775807n % 4294967295n)],
  ])('folds the seed %s to %d, to the last digit', (seed, folded) => {
    const json = JSON.stringify({ ...QUESTION, seed: 0 }).replace('"seed":0', `"seed":${String(seed)}`);
    const { body = '' } = ollama.chatRequest(toChatRequest(json), targetOf());
    expect((JSON.parse(body) as { options: { seed: number } }).options.seed).toBe(folded);
  });

  it('carries what the operator fixed for the model, in its place', () => {
    const target = { ...targetOf(), options: { num_ctx: 8192, keep_alive: '1h', min_p: 0.1 } };
    expect(askOllama({ temperature: 0 }, target)).toMatchObject({
      keep_alive: '1h',
      options: { num_ctx: 8192, min_p: 0.1, temperature: 0 },
    });
  });

  it('leaves the tools out when the client chose none of them', () => {
    const tools = [{ type: 'function', function: { name: 'f' } }];
    expect(askOllama({ tools, tool_choice: 'none' }, targetOf())).not.toHaveProperty('tools');
  });

  it('makes one message of many parts, and strips images to what the server reads', () => {
    const url = (text: string): object => ({ type: 'image_url', image_url: { url: text } });
    const { messages } = askOllama(
      {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'one' },
              url(`DATA:image/PNG;charset=x;base64,${PNG.toString('base64url')}`),
              { type: 'text', text: 'two' },
              { type: 'image_url', image_url: PNG.toString('base64').replace(/=+$/, '') },
              url(`data:image/png,${PNG.toString('hex').replace(/../g, '%$&')}`),
              url(`data:;base64,${PNG.toString('base64').replace(/.{4}/g, '$&%0a')}`),
            ],
          },
        ],
      },
      targetOf(),
    );
    const image = PNG.toString('base64');
    expect(messages).toEqual([{ role: 'user', content: 'one\ntwo', images: [image, image, image, image] }]);
  });

  it('never fails on what a model once wrote as arguments', () => {
    const call = (id: string, args: string): object => ({
      id,
      type: 'function',
      function: { name: 'f', arguments: args },
    });
    const { messages } = askOllama(
      {
        messages: [
          { role: 'user', content: 'q' },
          {
            role: 'assistant',
            tool_calls: [call('a', ''), call('b', '{"x":'), call('c', '[1]'), call('d', '{"y":1}')],
          },
          ...['a', 'b', 'c', 'd'].map((id) => ({ role: 'tool', tool_call_id: id, content: 'ok' })),
        ],
      },
      targetOf(),
    );
    const { tool_calls: calls } = (
      messages as { tool_calls: { function: { arguments: unknown } }[] }[]
    )[1] ?? { tool_calls: [] };
    expect(calls.map((each) => each.function.arguments)).toEqual([
      {},
      { _raw: '{"x":' },
      { value: [1] },
      { y: 1 },
    ]);
  });

  it('gives thinking of earlier turns back under Ollama’s name', () => {
    const { messages } = askOllama(
      {
        messages: [
          { role: 'user', content: 'q' },
          { role: 'assistant', content: 'a', reasoning: 'Hm' },
          { role: 'user', content: 'r' },
        ],
      },
      targetOf(),
    );
    expect(messages).toMatchObject([{}, { role: 'assistant', content: 'a', thinking: 'Hm' }, {}]);
  });
});

describe('a request that is refused', () => {
  const refused = more.find(({ id }) => id === 'K09')?.cases as [JsonObject, number, string][];
  it.each(refused)('%j with status %d, naming %s', (body, status, param) => {
    let error: Partial<GatewayError> = {};
    try {
      ollama.chatRequest(toChatRequest(JSON.stringify({ ...QUESTION, ...body })), targetOf());
    } catch (thrown) {
      error = thrown as GatewayError;
    }
    expect(error).toMatchObject({ status, param });
  });
});
