/** Embeddings by the published clients: `openai`, `@langchain/openai`, `@llamaindex/openai`. */

import { describe, expect, it } from '@jest/globals';
import { Document as Page } from '@langchain/core/documents';
import { FakeVectorStore } from '@langchain/core/utils/testing';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { OpenAI as LlamaOpenAI, OpenAIEmbedding } from '@llamaindex/openai';
import { Document, Settings, VectorStoreIndex } from 'llamaindex';
import OpenAI from 'openai';
import { failing, type Script, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup, KINDS_OF_STREAM } from '../../support/setup.ts';
import { embedding, inputsOf, librarian, LIBRARY, TOKENS_PER_INPUT, vectorOf } from './embedding-model.ts';
import { failureOf } from './failure-of.ts';

const setup = createSetup();
const KEY = 'sk-test-0123456789abcdef0123456789abcdef';
const CAPABILITIES = ['completion', 'embedding'];

async function open(
  variable: string,
  script: Script = librarian,
): Promise<{ backend: ScriptedBackend; url: string; client: OpenAI }> {
  const backend = await setup.backend(script, { capabilities: CAPABILITIES });
  const { url } = await setup.gateway({ env: { [variable]: backend.url, AUTH_KEY: KEY } });
  return { backend, url: `${url}/v1`, client: clientOf(`${url}/v1`) };
}

function clientOf(baseURL: string): OpenAI {
  return new OpenAI({ apiKey: KEY, baseURL, maxRetries: 0 });
}

const TEXTS = ['Grüß dich', 'hello world', 'zebra'];

describe.each(KINDS_OF_STREAM)('in front of %s', (_, variable) => {
  it.each([undefined, 'base64', 'float'] as const)(
    'openai gets its vectors with encoding_format %s',
    async (encoding) => {
      const { client, backend } = await open(variable);
      const { data: answer, response } = await client.embeddings
        .create({ model: 'm', input: TEXTS, ...(encoding && { encoding_format: encoding }) })
        .withResponse();
      const vectors = answer.data.map(({ embedding: vector }) =>
        typeof vector === 'string' ? unpack(vector) : Array.from(vector),
      );
      expect(vectors).toEqual(TEXTS.map(vectorOf));
      expect(answer).toMatchObject({
        object: 'list',
        data: TEXTS.map((_text, index) => ({ object: 'embedding', index })),
        model: 'm',
        usage: { prompt_tokens: 3 * TOKENS_PER_INPUT, total_tokens: 3 * TOKENS_PER_INPUT },
      });
      expect(response.headers.get('x-gateway-ignored-params')).toBeNull();
      expect(backend.calls).toHaveLength(1);
    },
  );

  it('openai gets one vector for one text', async () => {
    const { client } = await open(variable);
    const { data } = await client.embeddings.create({ model: 'm', input: 'zebra' });
    expect(data.map(({ embedding: vector }) => Array.from(vector))).toEqual([vectorOf('zebra')]);
  });

  it('openai may send tokens, which are decoded for who cannot read them', async () => {
    const { client, backend } = await open(variable);
    const tokens = [[9906, 1917], [9906]];
    const isOllama = variable.startsWith('OLLAMA');
    const { data } = await client.embeddings.create({ model: 'm', input: tokens });
    expect(data).toHaveLength(2);
    expect(backend.calls[0]?.body.input).toEqual(isOllama ? ['Hello world', 'Hello'] : tokens);
    const [first = []] = tokens;
    await client.embeddings.create({ model: 'm', input: first });
    expect(backend.calls[1]?.body.input).toEqual(isOllama ? ['Hello world'] : [first]);
  });

  it('openai is told of what is wrong with its request', async () => {
    const { client, backend } = await open(variable);
    expect(await failureOf(client.embeddings.create({ model: 'm', input: ['a', ''] }))).toMatchObject({
      status: 400,
      param: 'input[1]',
      code: 'empty_string',
    });
    expect(backend.calls).toHaveLength(0);
    expect(
      await failureOf(client.embeddings.create({ model: 'm', input: 'a', dimensions: 5 })),
    ).toMatchObject({ status: 400, param: 'dimensions' });
  });

  it('openai is told of a text that is too long', async () => {
    const text = variable.startsWith('OLLAMA')
      ? 'the input length exceeds the context length'
      : "This model's maximum context length is 512 tokens. However, you requested 600 tokens in the input.";
    const { client } = await open(
      variable,
      failing(400, { error: variable.startsWith('OLLAMA') ? text : { message: text, code: 400 } }),
    );
    expect(await failureOf(client.embeddings.create({ model: 'm', input: 'long' }))).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    });
  });

  it.each([
    ['no vectors', { embeddings: [], data: [] }],
    ['no JSON', '<html>'],
  ])('openai is told of a backend that sends %s', async (_what, body) => {
    const { client } = await open(variable, ({ res }) => {
      res.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    expect(await failureOf(client.embeddings.create({ model: 'm', input: 'a' }))).toMatchObject({
      status: 502,
      code: 'upstream_invalid_response',
    });
  });

  it('langchain finds the right text and lets a model read it', async () => {
    const { url } = await open(variable);
    const fields = { model: 'm', apiKey: KEY, maxRetries: 0, configuration: { baseURL: url } };
    const store = new FakeVectorStore(new OpenAIEmbeddings(fields));
    await store.addDocuments(LIBRARY.map((text) => new Page({ pageContent: text })));
    const question = 'Which zebra sleeps in a zoo?';
    const [found] = await store.similaritySearch(question, 1);
    expect(found?.pageContent).toBe(LIBRARY[0]);
    const answer = await new ChatOpenAI(fields).invoke(`${String(found?.pageContent)}\n\n${question}`);
    expect(answer.text).toBe(`I read: ${String(LIBRARY[0])}`);
  });

  it('langchain gets plain numbers when it asks for them', async () => {
    const { url } = await open(variable);
    const model = new OpenAIEmbeddings({
      model: 'm',
      apiKey: KEY,
      encodingFormat: 'float',
      configuration: { baseURL: url },
    });
    expect(await model.embedDocuments(TEXTS)).toEqual(TEXTS.map(vectorOf));
  });

  it('llamaindex finds the right text and lets a model read it', async () => {
    const { url } = await open(variable);
    const init = { model: 'm', apiKey: KEY, baseURL: url, maxRetries: 0 };
    const embedModel = new OpenAIEmbedding(init);
    expect((await embedModel.getTextEmbeddings(TEXTS)).map((vector) => Array.from(vector))).toEqual(
      TEXTS.map(vectorOf),
    );
    // Assigned without their types: the packages have two copies of the same class.
    Object.assign(Settings, { llm: new LlamaOpenAI(init), embedModel });
    const index = await VectorStoreIndex.fromDocuments(LIBRARY.map((text) => new Document({ text })));
    const engine = index.asQueryEngine({ similarityTopK: 1 });
    const { message, sourceNodes } = await engine.query({ query: 'Who plays jazz in a jolly jumble?' });
    expect(sourceNodes).toHaveLength(1);
    expect(message.content).toBe(`I read: ${String(LIBRARY[1])}`);
  });
});

/** Three backends, all with the model; the first of each kind is slow. */
async function openFleet(
  scripts: readonly Script[],
): Promise<{ backends: ScriptedBackend[]; client: OpenAI }> {
  const backends: ScriptedBackend[] = [];
  for (const script of scripts) backends.push(await setup.backend(script, { capabilities: CAPABILITIES }));
  const file = `backends:\n${backends
    .map(({ url }, i) => `  - { name: b${String(i)}, kind: ${i === 2 ? 'vllm' : 'ollama'}, url: "${url}" }\n`)
    .join('')}`;
  const { url } = await setup.gateway({ file, env: { AUTH_KEY: KEY } });
  return { backends, client: clientOf(`${url}/v1`) };
}

describe('a large batch in front of three backends', () => {
  const texts = Array.from(
    { length: 1000 },
    (_, i) => `text ${i.toString(26).replace(/\d/g, (d) => 'qrstuvwxyz'.charAt(Number(d)))}`,
  );

  /** Answers late, so that parts come back in another order than they were sent. */
  const slow: Script = async (call) => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    await embedding(call);
  };

  it('is spread over them and comes back in order', async () => {
    const { backends, client } = await openFleet([slow, embedding, embedding]);
    const answer = await client.embeddings.create({ model: 'm', input: texts });
    expect(answer.data.map(({ index }) => index)).toEqual(texts.map((_, i) => i));
    expect(answer.data.map(({ embedding: vector }) => Array.from(vector))).toEqual(texts.map(vectorOf));
    expect(answer.usage).toEqual({ prompt_tokens: 3000, total_tokens: 3000 });
    const sizes = backends.map(({ calls }) => calls.map(({ body }) => inputsOf(body).length));
    expect(sizes.flat().sort()).toEqual(expect.arrayContaining([62, 63]));
    for (const calls of sizes) expect(calls.length).toBeGreaterThan(0);
    expect(sizes.flat().reduce((sum, size) => sum + size, 0)).toBe(1000);
  });

  it('is complete when one of them breaks', async () => {
    const { client, backends } = await openFleet([(call) => call.reset(), embedding, embedding]);
    const { data } = await client.embeddings.create({ model: 'm', input: texts, encoding_format: 'float' });
    expect(data.map(({ embedding: vector }) => vector)).toEqual(texts.map(vectorOf));
    expect(backends[0]?.calls.length).toBeGreaterThan(0);
  });

  it('fails as a whole when a part cannot be had', async () => {
    const refuse: Script = (call) =>
      inputsOf(call.body).includes(texts[999])
        ? failing(400, { error: 'the input length exceeds the context length' })(call)
        : embedding(call);
    const { client } = await openFleet([refuse, refuse, refuse]);
    expect(await failureOf(client.embeddings.create({ model: 'm', input: texts }))).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    });
  });

  it('is not told when the backends have different models under one name', async () => {
    const short: Script = ({ body, res }) => {
      res.end(
        JSON.stringify({
          embeddings: inputsOf(body).map(() => [1, 2]),
          data: inputsOf(body).map((_input, index) => ({ index, embedding: [1, 2] })),
        }),
      );
    };
    const { client } = await openFleet([short, embedding, embedding]);
    expect(await failureOf(client.embeddings.create({ model: 'm', input: texts }))).toMatchObject({
      status: 502,
      code: 'upstream_invalid_response',
    });
  });
});

describe('a model that makes no vectors', () => {
  it('is named before it is asked', async () => {
    const backend = await setup.backend(embedding, { capabilities: ['completion'] });
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, AUTH_KEY: KEY } });
    expect(
      await failureOf(clientOf(`${url}/v1`).embeddings.create({ model: 'm', input: 'a' })),
    ).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: 'model',
    });
    expect(backend.calls).toHaveLength(0);
  });
});

it('openai is told of a token that stands for nothing', async () => {
  const { client, backend } = await open('OLLAMA_BASE_URL');
  expect(await failureOf(client.embeddings.create({ model: 'm', input: [200_000] }))).toMatchObject({
    status: 400,
    param: 'input',
  });
  expect(backend.calls).toHaveLength(0);
});

it('parameters without effect are named, or refused when the request is strict', async () => {
  const { client } = await open('OLLAMA_BASE_URL');
  const asked = { model: 'm', input: 'a', user: 'me' };
  const { response } = await client.embeddings.create(asked).withResponse();
  expect(response.headers.get('x-gateway-ignored-params')).toBe('user');
  const strict = client.embeddings.create(asked, { headers: { 'x-gateway-strict': 'true' } });
  expect(await failureOf(strict)).toMatchObject({ status: 400, param: 'user' });
});

function unpack(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
}
