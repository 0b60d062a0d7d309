/** What the program loads when it is first needed must be there, and be what it is in the sources. */

import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, it } from '@jest/globals';
import { byPath, PNG, startImageServer } from '../node/images/image-server.ts';
import { TLS_CERTIFICATE, TLS_KEY } from '../support/certificate.ts';
import { startKubernetes } from '../support/kubernetes-api.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { buildProgram, runProgram, type Program } from '../support/program.ts';
import { saying, type Script } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';

const setup = createSetup();
const running: Program[] = [];

beforeAll(buildProgram, 60_000);
afterEach(async () => {
  for (const program of running.splice(0)) {
    program.process.kill('SIGKILL');
    await program.ended;
  }
});

/** Gives the origin of the program. */
async function start(env: Readonly<Record<string, string>>): Promise<string> {
  const program = runProgram(env);
  running.push(program);
  const [origin = ''] = /http:\/\/localhost:\d+(?=\/v1)/.exec(await program.until('API key')) ?? [];
  return origin;
}

async function post(url: string, body: object): Promise<{ status: number; text: string }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

it('an image by URL is fetched for Ollama', async () => {
  const images = await startImageServer(byPath({}));
  const backend = await setup.backend(saying('a cat'));
  const origin = await start({ OLLAMA_BASE_URL: backend.url, IMAGE_ALLOW_HOSTS: images.host });
  const content = [{ type: 'image_url', image_url: { url: `${images.url}/cat.png` } }];
  const messages = [{ role: 'user', content }];
  expect(await post(`${origin}/v1/chat/completions`, { model: 'm', messages })).toMatchObject({
    status: 200,
  });
  expect(backend.calls[0]?.body.messages).toMatchObject([{ images: [PNG.toString('base64')] }]);
});

it('tokens are decoded for Ollama', async () => {
  const answer = '{"embeddings":[[0.5]],"prompt_eval_count":2}';
  const backend = await setup.backend(({ end }) => end(answer), { capabilities: ['embedding'] });
  const origin = await start({ OLLAMA_BASE_URL: backend.url });
  const embedded = await post(`${origin}/v1/embeddings`, { model: 'm', input: [15339, 1917] });
  expect(embedded).toMatchObject({ status: 200 });
  expect(backend.calls[0]?.body.input).toEqual(['hello world']);
});

const echo: Script = ({ bodyText, end }) => {
  end(bodyText);
};

it('what the gateway does not model is passed on raw', async () => {
  const backend = await setup.backend(echo);
  const origin = await start({ VLLM_BASE_URL: backend.url });
  expect(await post(`${origin}/v1/rerank`, { model: 'm' })).toEqual({ status: 200, text: '{"model":"m"}' });
});

it('a backend behind https is probed, asked and passed on to', async () => {
  const authority = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'authority.pem');
  writeFileSync(authority, TLS_CERTIFICATE);
  const backend = await setup.backend(saying('Hello'), { isEncrypted: true });
  const origin = await start({ OPENAI_BASE_URL: backend.url, NODE_EXTRA_CA_CERTS: authority });
  const models = (await (await fetch(`${origin}/v1/models`)).json()) as { data: unknown[] };
  expect(models.data).toMatchObject([{ id: 'm' }]);
  const { status, text } = await post(`${origin}/v1/chat/completions`, {
    model: 'm',
    messages: [{ role: 'user', content: 'hi' }],
  });
  expect(status).toBe(200);
  expect(JSON.parse(text)).toMatchObject({ choices: [{ message: { content: 'Hello' } }] });
  backend.script(echo);
  expect(await post(`${origin}/v1/rerank`, { model: 'm' })).toEqual({ status: 200, text: '{"model":"m"}' });
});

it('the pods of a Service are found, through an API behind https', async () => {
  const { url, port } = await setup.backend(saying('Hello'));
  const api = await startKubernetes({ key: TLS_KEY, cert: TLS_CERTIFICATE, ca: TLS_CERTIFICATE });
  try {
    api.put('a', { service: 'ollama', pods: [{ address: new URL(url).hostname }], port });
    const file = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'gateway.yaml');
    const access = JSON.stringify({ url: api.url, credentialsFolder: api.credentialsFolder });
    writeFileSync(
      file,
      `discovery: { kubernetes: ${access} }\nbackends: [{ name: gpu, kind: ollama, url: 'http://ollama', discovery: kubernetes }]`,
    );
    const origin = await start({ GATEWAY_CONFIG: file });
    const messages = [{ role: 'user', content: 'hi' }];
    expect(await post(`${origin}/v1/chat/completions`, { model: 'm', messages })).toMatchObject({
      status: 200,
    });
  } finally {
    await api.close();
  }
});

it('traces are sent in protobuf to whoever takes them, the last ones before the program ends', async () => {
  const receiver = await startOtlpReceiver();
  try {
    const backend = await setup.backend(saying('Hello'));
    const origin = await start({ OLLAMA_BASE_URL: backend.url, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    const messages = [{ role: 'user', content: 'hi' }];
    expect(await post(`${origin}/v1/chat/completions`, { model: 'm', messages })).toMatchObject({
      status: 200,
    });
    const [program] = running;
    program?.process.kill('SIGTERM');
    expect(await program?.ended).toMatchObject({ code: 0 });
    expect(receiver.requests).toMatchObject([
      { path: '/v1/traces', headers: { 'content-type': 'application/x-protobuf' } },
    ]);
    const text = receiver.requests[0]?.text;
    for (const word of ['POST /v1/chat/completions', 'chat m', 'node-ai-gateway'])
      expect(text).toContain(word);
  } finally {
    await receiver.close();
  }
});

it.each([
  ['', false],
  ['http://127.0.0.1:9', true],
])('with %j as the receiver of traces OpenTelemetry is loaded: %s', async (receiver, isLoaded) => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'));
  const backend = await setup.backend(saying('Hello'));
  const origin = await start({
    OLLAMA_BASE_URL: backend.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver,
    // Node writes there which scripts it has loaded.
    NODE_V8_COVERAGE: folder,
  });
  const messages = [{ role: 'user', content: 'hi' }];
  const answer = await post(`${origin}/v1/chat/completions`, { model: 'm', messages });
  expect(answer).toMatchObject({ status: 200 });
  const [program] = running;
  program?.process.kill('SIGTERM');
  expect(await program?.ended).toMatchObject({ code: 0 });
  const scripts = readdirSync(folder)
    .flatMap((name) => (JSON.parse(readFileSync(join(folder, name), 'utf8')) as Coverage).result)
    .filter(({ url }) => url.startsWith('file:'))
    .map(({ url }) => readFileSync(new URL(url), 'utf8'));
  expect(scripts.length).toBeGreaterThan(1);
  // prom-client uses the API, which is not much and does nothing by itself.
  expect(scripts.some((text) => /node_modules\/@opentelemetry\/(?!api\/)/.test(text))).toBe(isLoaded);
});

interface Coverage {
  readonly result: readonly { readonly url: string }[];
}

/** Every module that is loaded late, with the test that has the built program load it. */
const LOADED_LATE: Readonly<Record<string, string>> = {
  'src/cli.ts ./commands/keys/index.ts': 'keys.test.ts: the commands',
  'src/cli.ts ./main.ts': 'all that start the gateway',
  'src/find-fleet.ts ./node/demo/server.ts': 'program.test.ts: the demo answers',
  'src/http/passthrough.ts ./forward.ts': 'what the gateway does not model',
  'src/node/images/index.ts ./fetch.ts': 'an image by URL',
  'src/node/kubernetes/api.ts node:https': 'the pods of a Service',
  'src/node/limits/memory.ts ./counters.ts': 'shared-limits.test.ts: two workers',
  'src/node/ollama-model.ts ollama/browser': 'all with an Ollama',
  'src/node/redis.ts ./redis-client.ts': 'shared-limits.test.ts: two programs with one Redis',
  'src/node/send.ts ./undici.ts': 'a backend behind https',
  'src/node/tokens.ts js-tiktoken/lite': 'tokens',
  'src/node/tokens.ts js-tiktoken/ranks/cl100k_base': 'tokens',
  'src/node/tracing/index.ts ./otel.ts': 'traces are sent in protobuf',
};

it('each module that is loaded late has its test here', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const imports = files.flatMap((name) =>
    [...readFileSync(join('src', name), 'utf8').matchAll(/\bimport\('([^']+)'\)/g)].map(
      ([, imported = '']) => `src/${name} ${imported}`,
    ),
  );
  expect(imports.sort()).toEqual(Object.keys(LOADED_LATE).sort());
});
