/** Requests that are at fault themselves: no stream that failed, and nothing of what they said in the log. */

import { describe, expect, it } from '@jest/globals';
import { failing, saying, type Script } from '../support/scripted-backend.ts';
import type { LogLine, TestGateway } from '../support/gateway.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { toLoggable } from '../../src/node/logger.ts';

const setup = createSetup();

async function requestLine({ logs }: TestGateway): Promise<LogLine> {
  const isLine = ({ message }: LogLine): boolean => message === 'request';
  await eventually(() => logs.some(isLine));
  return logs.find(isLine) ?? { level: '', message: '', fields: {} };
}

async function countedStreams(gateway: TestGateway): Promise<number> {
  const page = await (await fetch(`${gateway.url}/metrics`)).text();
  const counts = page.match(/^ai_gateway_streams_total\{.*\} \d+$/gm) ?? [];
  return counts.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

describe('a stream that is refused', () => {
  const CASES: readonly (readonly [string, Script, object])[] = [
    ['because nobody has its model', saying('x'), { model: 'no/such' }],
    [
      'because the backend does not have its model',
      failing(404, { error: 'model not found' }),
      { model: 'new' },
    ],
    ['because of a parameter', saying('x'), { logit_bias: { 1: 1 } }],
    [
      'because its prompt is too long',
      failing(400, { error: 'request (9 tokens) exceeds the available context size (4 tokens)' }),
      {},
    ],
    ['by the backend', failing(400, { error: 'invalid format' }), {}],
  ];

  it.each(CASES)('%s is told so in the log, and is no stream that failed', async (_name, script, body) => {
    const backend = await setup.backend(script);
    const variable = 'model' in body && body.model === 'no/such' ? 'VLLM_BASE_URL' : 'OLLAMA_BASE_URL';
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const response = await gateway.chat({ stream: true, ...body });
    expect(response.status).toBeLessThan(500);
    await response.text();
    expect((await requestLine(gateway)).fields.outcome).toBe('refused');
    expect(await countedStreams(gateway)).toBe(0);
  });

  it('because all slots are taken was given to no backend', async () => {
    const backend = await setup.backend(() => undefined);
    const gateway = await setup.gateway({
      file: `backends: [{ name: b, kind: ollama, url: "${backend.url}", maxConcurrency: 1, queue: 0 }]`,
    });
    const abort = new AbortController();
    const first = gateway.chat({ stream: true }, { signal: abort.signal }).catch(() => undefined);
    await eventually(() => backend.calls.length === 1);
    expect((await gateway.chat({ stream: true })).status).toBe(503);
    expect((await requestLine(gateway)).fields.outcome).toBe('refused');
    expect(await countedStreams(gateway)).toBe(0);
    abort.abort();
    await first;
  });

  it('by a backend that fails has failed', async () => {
    const backend = await setup.backend(failing(500, { error: 'boom' }));
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    await (await gateway.chat({ stream: true })).text();
    expect((await requestLine(gateway)).fields.outcome).toBe('upstream_error');
    expect(await gateway.metric('ai_gateway_streams_total', { status: 'upstream_error' })).toBe(1);
  });
});

describe('what a client or a model said', () => {
  const SECRET = 'MY SECRET';
  const vllm = (text: string): object => ({
    object: 'error',
    message: text,
    type: 'BadRequestError',
    code: 400,
  });
  const CASES: readonly (readonly [string, Script, object])[] = [
    ['a backend that repeats it', failing(400, vllm(`bad: 'input': {'content': '${SECRET}'}`)), {}],
    ['a backend that repeats it in words of its own', failing(400, vllm(`cannot do ${SECRET}`)), {}],
    ['a prompt that is too long', failing(400, vllm(`maximum context length exceeded by ${SECRET}`)), {}],
    ['a validator', failing(422, { detail: [{ loc: ['body'], msg: 'bad', input: SECRET }] }), {}],
    ['a name that is none', failing(400, { error: { message: 'x', param: SECRET, code: SECRET } }), {}],
    ['a fault that the gateway finds', saying('x'), { temperature: SECRET }],
    ['JSON that is none', saying('x'), { raw: `{"messages":[{"content":"${SECRET}` }],
    [
      'an answer that is no JSON',
      ({ end }) => end(`data: {"choices":[{"delta":{"content":"${SECRET}\n\n`),
      {},
    ],
    ['a whole answer that is none', ({ res }) => void res.end(SECRET), { stream: false }],
  ];

  it.each(CASES)(
    'does not get into the log by %s',
    async (_name, script, { raw, ...body }: { raw?: string }) => {
      const backend = await setup.backend(script);
      const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url } });
      const messages = [{ role: 'user', content: SECRET }];
      const init = raw === undefined ? {} : { body: raw };
      await (await gateway.chat({ stream: true, messages, ...body }, init)).text();
      const line = await requestLine(gateway);
      expect(line.fields.error).toBeInstanceOf(Error);
      expect(JSON.stringify(toLoggable(gateway.logs))).not.toContain(SECRET);
    },
  );

  it.each([
    [
      'a call that it could not read',
      failing(500, { error: `error parsing tool call: raw='${SECRET}', err=x` }),
    ],
    ['a record that is none', failing(200, `${SECRET}\n`)],
  ])('does not get into the log by Ollama with %s', async (_name, script) => {
    const backend = await setup.backend(script);
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    expect((await gateway.chat()).status).toBe(502);
    await requestLine(gateway);
    expect(JSON.stringify(toLoggable(gateway.logs))).not.toContain(SECRET);
  });
});
