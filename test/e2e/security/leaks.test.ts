/** A run of everything that can go wrong: no key, prompt, stack or address in logs, errors and metrics. */

import { gzipSync } from 'node:zlib';
import { expect, it } from '@jest/globals';
import { hashKey } from '../../../src/node/hash-key.ts';
import { toLoggable } from '../../../src/node/logger.ts';
import { answering } from '../../support/answering.ts';
import {
  failing,
  ollamaToken,
  openaiChunk,
  sse,
  type Script,
  type ScriptedBackend,
} from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import type { TestGateway } from '../../support/gateway.ts';

const setup = createSetup();
const KEY = 'the-key-of-a-client-with-forty-characters';
const ADMIN_KEY = 'the-operator-has-a-key-of-32-characters';
const BACKEND_KEY = 'sk-backend-0123456789abcdef012345678';
const WRONG_KEY = 'sk-wrong-0123456789abcdef0123456789';
const PROMPT = 'the-words-of-the-client-that-nobody-else-may-read';
const ANSWER = 'the-words-of-the-model-that-nobody-else-may-read';

const messages = [{ role: 'user', content: PROMPT }];
const tool = { type: 'function', function: { name: 'f', description: PROMPT } };

/** Bodies that are served, refused for many reasons, or no JSON at all; the prompt stands everywhere. */
const BODIES: readonly (string | object)[] = [
  { messages },
  { messages, stream: true },
  { messages: PROMPT },
  { messages: [{ role: PROMPT, content: 'a' }] },
  { messages: [{ role: 'user', content: [{ type: PROMPT }] }] },
  { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: `http://${PROMPT}/` } }] }] },
  { messages: [{ role: 'tool', tool_call_id: PROMPT, content: PROMPT }] },
  { messages, tools: [tool], tool_choice: { type: 'function', function: { name: PROMPT } } },
  { messages, temperature: PROMPT },
  { messages, stop: [PROMPT, PROMPT, PROMPT, PROMPT, PROMPT] },
  { messages, response_format: { type: PROMPT } },
  { messages, user: PROMPT, metadata: { a: PROMPT } },
  { messages, prompt: PROMPT, input: PROMPT, suffix: PROMPT },
  `{"model":"m","messages":[{"role":"user","content":"${PROMPT}"`,
  `"${PROMPT}"`,
  PROMPT,
];

const PATHS = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/responses'];

/** Backends quote what they were sent, where they are and who they are. */
const quoting =
  (status: number): Script =>
  (call) => {
    const message = `1 validation error: input_value='${PROMPT}', "${call.bodyText}" at http://10.1.2.3:8000/v1 (/srv/models/x.py) key ${BACKEND_KEY}`;
    void failing(status, { error: { message, type: 'x', input: PROMPT } })(call);
  };

const SCRIPTS: readonly Script[] = [
  answering,
  ...[400, 401, 403, 404, 413, 422, 429, 500, 503].map(quoting),
  failing(500, `<html>${PROMPT} Traceback (most recent call last): File "/srv/a.py"</html>`),
  failing(200, `{"half": "${ANSWER}`),
  async (call) => {
    await call.write(call.path === '/api/chat' ? ollamaToken(ANSWER) : openaiChunk({ content: ANSWER }));
    call.reset();
  },
  (call) => {
    const error = `at 10.1.2.3:8000: '${ANSWER} ${PROMPT}'`;
    call.end(
      call.path === '/api/chat'
        ? ollamaToken(ANSWER) + `${JSON.stringify({ error })}\n`
        : openaiChunk({ content: ANSWER }) + sse({ error: { message: error } }),
    );
  },
  (call) => call.socket.end('no HTTP at all'),
];

/** All texts of answers with an error in them. */
async function runAll({ url }: TestGateway, backends: readonly ScriptedBackend[]): Promise<string[]> {
  const errors: string[] = [];
  async function ask(path: string, init: RequestInit): Promise<void> {
    const response = await fetch(url + path, init);
    // What is passed on raw and breaks off is broken off.
    const text = await response.text().catch(() => '');
    // An answer that is passed on raw with 200 is the backend's own.
    const isSpoken = text.includes('"error"') && path !== '/v1/responses';
    if (response.status !== 200 || isSpoken) errors.push(text);
  }
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  for (const script of SCRIPTS) {
    for (const backend of backends) backend.script(script);
    for (const path of PATHS) {
      for (const given of script === answering ? BODIES : BODIES.slice(0, 2)) {
        for (const model of ['vllm/m', 'ollama/m']) {
          const body =
            typeof given === 'string'
              ? given
              : JSON.stringify({ model, prompt: PROMPT, input: PROMPT, ...given });
          await ask(path, { method: 'POST', headers, body });
        }
      }
    }
  }
  const body = JSON.stringify({ model: 'm', messages });
  const odd: readonly RequestInit[] = [
    { headers: { ...headers, authorization: `Bearer ${WRONG_KEY}` } },
    { headers: { ...headers, authorization: `Basic ${KEY}` } },
    { headers: { ...headers, authorization: KEY } },
    { headers: { ...headers, 'content-type': `text/plain; a=${PROMPT}` } },
    { headers: { ...headers, 'x-request-id': PROMPT.repeat(5), cookie: `key=${KEY}` } },
  ];
  for (const path of [...PATHS, `/v1/files?key=${KEY}`, '/admin/reload', '/api/chat/streams']) {
    for (const init of odd) await ask(path, { method: 'POST', body, ...init });
  }
  const cut = gzipSync(body).subarray(0, -9);
  await ask('/v1/embeddings', {
    method: 'POST',
    headers: { ...headers, 'content-encoding': 'gzip' },
    body: cut,
  });
  return errors;
}

it('no key, prompt, answer, stack or address stands in the logs, the metrics or an error', async () => {
  const ollama = await setup.backend(answering);
  const vllm = await setup.backend(answering);
  const gateway = await setup.gateway({
    env: { AUTH_KEY: KEY, ADMIN_KEY, CIRCUIT_FAILURES: '100000', CIRCUIT_MIN_REQUESTS: '100000' },
    file: `
backends:
  - { name: vllm, kind: vllm, url: "${vllm.url}", apiKey: ${BACKEND_KEY} }
  - { name: ollama, kind: ollama, url: "${ollama.url}" }`,
  });
  const errors = await runAll(gateway, [ollama, vllm]);
  expect(errors.length).toBeGreaterThan(200);
  await eventually(() => gateway.logs.filter(({ message }) => message === 'request').length > errors.length);
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  // What the logger makes of lines is what is written.
  const logs = gateway.logs.map((line) =>
    JSON.stringify(toLoggable({ ...line.fields, message: line.message })),
  );

  const keys = [
    KEY,
    ADMIN_KEY,
    BACKEND_KEY,
    WRONG_KEY,
    ...[KEY, ADMIN_KEY].map((key) => hashKey(key).slice(7)),
  ];
  const inside = [
    `:${String(vllm.port)}`,
    `:${String(ollama.port)}`,
    '10.1.2.3',
    '/srv/',
    '.ts:',
    '.js:',
    ' at Object.',
    'node_modules',
  ];
  function expectNone(texts: readonly string[], words: readonly string[]): void {
    const found = texts.filter((text) => words.some((word) => text.includes(word)));
    expect(found.slice(0, 3)).toEqual([]);
  }
  expectNone(errors, [...keys, ...inside]);
  expectNone([...logs, metrics], [...keys, ...inside, PROMPT, ANSWER]);
  // One of the gateway's own making has a reason and no stack.
  expectNone(logs, ['internal_error']);
});
