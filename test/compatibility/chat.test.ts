/** What a chat may ask for, with each kind of backend: what reaches it, and what the client gets. */

import { describe, expect, it } from '@jest/globals';
import { KINDS } from '../../src/core/fleet.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { saysAs } from '../contract/sayings.ts';
import { byPath, PNG, startImageServer } from '../node/images/image-server.ts';
import { ollamaDone, ollamaToken, type Script } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { inFrontOf, OPENAI_KINDS } from './fleet-of-one.ts';
import { proves } from './proves.ts';

const setup = createSetup();

const CITY = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const TOOL = { type: 'function', function: { name: 'get_weather', parameters: CITY } };
const CHOICE = { type: 'function', function: { name: 'get_weather' } };

/** One answer in OpenAI's form. */
function saying(message: JsonObject, more: JsonObject = {}): Script {
  const choice = {
    index: 0,
    message: { role: 'assistant', content: 'x', ...message },
    finish_reason: 'stop',
  };
  const body = {
    id: 'i',
    object: 'chat.completion',
    created: 1,
    model: 'up',
    choices: [{ ...choice, ...more }],
  };
  return ({ end }) => {
    end(JSON.stringify(body));
  };
}

describe.each(KINDS)('%s', (kind) => {
  const isOllama = kind === 'ollama';

  it('is held to a schema', async () => {
    const { chat, backend } = await inFrontOf(setup, kind, saysAs({ text: ['{"city":', '"Oslo"}'] }));
    const format = { type: 'json_schema', json_schema: { name: 'place', schema: CITY, strict: true } };
    const { body } = await chat({ response_format: format });
    expect(body.choices).toMatchObject([{ message: { content: '{"city":"Oslo"}' } }]);
    expect(backend.calls[0]?.body).toMatchObject(isOllama ? { format: CITY } : { response_format: format });
    proves('schema', kind, isOllama ? 'yes' : 'as it is');
  });

  it('calls the tool that it is forced to', async () => {
    const call = { name: 'get_weather', arguments: { city: 'Oslo' } };
    const script = saysAs(isOllama ? { text: ['{"city":"Oslo"}'] } : { calls: [call] });
    const { chat, backend } = await inFrontOf(setup, kind, script);
    const { body } = await chat({ tools: [TOOL], tool_choice: CHOICE });
    expect(body.choices).toMatchObject([
      {
        finish_reason: 'tool_calls',
        message: { tool_calls: [{ function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } }] },
      },
    ]);
    expect(backend.calls[0]?.body).toMatchObject(
      isOllama ? { format: CITY } : { tools: [TOOL], tool_choice: CHOICE },
    );
    proves('toolChoice', kind, isOllama ? 'emulated' : 'as it is');
  });

  it('gives several answers', async () => {
    const script: Script = async (call) => {
      const choices = Array.from({ length: Number(call.body.n ?? 1) }, (_, index) => ({
        index,
        message: { role: 'assistant', content: 'hi' },
        finish_reason: 'stop',
      }));
      if (isOllama) await call.write(ollamaToken('hi'));
      call.end(isOllama ? ollamaDone() : JSON.stringify({ id: 'i', object: 'chat.completion', choices }));
    };
    const { chat, backend } = await inFrontOf(setup, kind, script);
    const { body } = await chat({ n: 2 });
    expect(body.choices).toMatchObject([
      { index: 0, message: { content: 'hi' } },
      { index: 1, message: { content: 'hi' } },
    ]);
    const asked = backend.calls.map((call) => call.body.n);
    const isOneCall = kind === 'vllm' || kind === 'openai';
    expect(asked).toEqual(isOneCall ? [2] : [undefined, undefined]);
    proves('n', kind, isOneCall ? 'as it is' : 'by the gateway');
  });

  it('tells how probable its words were', async () => {
    const token = { token: 'hi', logprob: -0.5, bytes: [104, 105] };
    const logprobs = { content: [{ ...token, top_logprobs: [token] }], refusal: null };
    const record = { message: { content: 'hi' }, logprobs: logprobs.content, done: false };
    const ollama: Script = ({ end }) => {
      end(`${JSON.stringify(record)}\n${ollamaDone()}`);
    };
    const script = isOllama ? ollama : saying({ content: 'hi' }, { logprobs });
    const { chat, backend } = await inFrontOf(setup, kind, script);
    const { body } = await chat({ logprobs: true, top_logprobs: 1 });
    expect(body.choices).toMatchObject([{ logprobs }]);
    expect(backend.calls[0]?.body).toMatchObject({ logprobs: true, top_logprobs: 1 });
    proves('logprobs', kind, isOllama ? 'yes' : 'as it is');
  });

  it('sees images in data URIs', async () => {
    const { chat, backend } = await inFrontOf(setup, kind, saysAs({ text: ['a cat'] }));
    const base64 = PNG.toString('base64');
    const content = [{ type: 'image_url', image_url: { url: `data:image/png;base64,${base64}` } }];
    expect((await chat({ messages: [{ role: 'user', content }] })).status).toBe(200);
    expect(backend.calls[0]?.body.messages).toEqual([
      isOllama ? { role: 'user', content: '', images: [base64] } : { role: 'user', content },
    ]);
    proves('imageData', kind, isOllama ? 'yes' : 'as it is');
  });

  it('sees images by URL', async () => {
    const server = await startImageServer(byPath({}));
    const settings = `images: { allowHosts: ["${server.host}"] }`;
    const { chat, backend } = await inFrontOf(setup, kind, saysAs({ text: ['a cat'] }), settings);
    const content = [{ type: 'image_url', image_url: { url: `${server.url}/cat.png` } }];
    expect((await chat({ messages: [{ role: 'user', content }] })).status).toBe(200);
    expect(backend.calls[0]?.body.messages).toEqual([
      isOllama ? { role: 'user', content: '', images: [PNG.toString('base64')] } : { role: 'user', content },
    ]);
    expect(server.requests).toHaveLength(isOllama ? 1 : 0);
    proves('imageUrl', kind, isOllama ? 'by the gateway' : 'as it is');
  });
});

const SOUND = { modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' } };

describe.each(OPENAI_KINDS)('%s', (kind) => {
  it('gets what changes the probability of tokens', async () => {
    const { chat, backend } = await inFrontOf(setup, kind, saysAs({ text: ['hi'] }));
    expect((await chat({ logit_bias: { '42': -100 } })).status).toBe(200);
    expect(backend.calls[0]?.body.logit_bias).toEqual({ '42': -100 });
    proves('logitBias', kind, 'as it is');
  });

  it('is asked for sound, and what it sends comes back', async () => {
    const audio = { id: 'a', data: 'aGk=', transcript: 'hi', expires_at: 1 };
    const { chat, backend } = await inFrontOf(setup, kind, saying({ content: null, audio }));
    const { body } = await chat(SOUND);
    expect(body.choices).toMatchObject([{ message: { content: null, audio } }]);
    expect(backend.calls[0]?.body).toMatchObject(SOUND);
    proves('audioOutput', kind, 'as it is');
  });
});

it.each([
  ['logitBias', { logit_bias: { '42': -100 } }, 'logit_bias'],
  ['audioOutput', { modalities: SOUND.modalities }, 'modalities'],
] as const)('Ollama is never asked for %s', async (feature, members, param) => {
  const { chat, backend } = await inFrontOf(setup, 'ollama', saysAs({ text: ['hi'] }));
  expect(await chat(members)).toMatchObject({
    status: 400,
    body: { error: { param, code: 'unsupported_parameter' } },
  });
  expect(backend.calls).toHaveLength(0);
  proves(feature, 'ollama', 'no');
});
