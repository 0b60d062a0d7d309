/** Which backend gets a raw request, and the slot that it takes there. */

import type { ServerResponse } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/setup.ts';
import {
  startUpstream,
  echo,
  type Echoed,
  fine,
  startGateway,
  errorOf,
  post,
  closedPort,
} from './support.ts';

describe('a request that names no model', () => {
  it.each([
    ['of openai before vllm', ['vllm', 'openai'], 1],
    ['of vllm when there is none of openai', ['ollama', 'vllm'], 1],
    ['that is the first of its kind', ['openai', 'openai'], 0],
  ] as const)('goes to the backend %s', async (_, of, index) => {
    const upstreams = await Promise.all(of.map(() => startUpstream(echo)));
    const gateway = await startGateway(of.map((kind, i) => ({ kind, url: upstreams[i]?.url ?? '' })));
    const response = await fetch(`${gateway.url}/v1/files?purpose=batch&limit=2`);
    expect(await response.json()).toMatchObject({ method: 'GET', url: '/v1/files?purpose=batch&limit=2' });
    expect(upstreams.map(({ requests }) => requests.length)).toEqual(
      of.map((__, i) => (i === index ? 1 : 0)),
    );
  });

  it('goes to the next backend that is up', async () => {
    const down = await startUpstream((req) => req.socket.destroy());
    const up = await startUpstream(fine);
    const closed = await closedPort();
    const gateway = await startGateway([{ url: `http://127.0.0.1:${String(closed)}` }, { url: up.url }]);
    expect((await fetch(`${gateway.url}/v1/files`)).status).toBe(502);
    expect((await fetch(`${gateway.url}/v1/files`)).status).toBe(200);
    expect(down.requests).toHaveLength(0);
  });

  it('takes no backend of weight 0', async () => {
    const resting = await startUpstream(fine);
    const working = await startUpstream(echo);
    const gateway = await startGateway([{ url: resting.url, weight: 0 }, { url: working.url }]);
    expect((await fetch(`${gateway.url}/v1/files`)).status).toBe(200);
    expect(resting.requests).toHaveLength(0);
  });

  it('is told when no backend can take it', async () => {
    const upstream = await startUpstream(fine);
    const gateway = await startGateway([{ kind: 'ollama', url: upstream.url }]);
    const [status, error] = await errorOf(await fetch(`${gateway.url}/v1/files?x=1`));
    expect(status).toBe(404);
    expect(error).toMatchObject({
      type: 'invalid_request_error',
      code: 'unknown_url',
      message: 'Invalid URL (GET /v1/files): no backend of kind openai or vllm is configured for it.',
    });
    expect(upstream.requests).toHaveLength(0);
  });

  it.each([
    ['JSON without a model', '{"input": "x"}'],
    ['JSON whose model is no text', '{"model": 7, "input":1.0}'],
    ['JSON that is no object', '[1, 2]'],
  ])('has its body sent as it stands: %s', async (_, body) => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }]);
    const echoed = (await (await post(`${gateway.url}/v1/moderations`, body)).json()) as Echoed;
    expect(echoed.body).toBe(body);
  });

  it('may be JSON that is larger than what is looked into', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }], { bodyLimitBytes: 100 });
    const body = JSON.stringify({ model: 'nobody-has-this', input: 'x'.repeat(200) });
    const echoed = (await (await post(`${gateway.url}/v1/moderations`, body)).json()) as Echoed;
    expect(echoed.body).toBe(body);
  });
});

describe('JSON that names a model', () => {
  it('goes to the backend that has it, under its name there and otherwise to the letter', async () => {
    const wrong = await startUpstream(echo);
    const right = await startUpstream(echo);
    const gateway = await startGateway(
      [
        { kind: 'openai', url: wrong.url, models: ['other'] },
        { kind: 'vllm', url: right.url, models: ['bge/reranker-v2'] },
      ],
      { aliases: [{ name: 'rerank', targets: [{ model: 'bge/reranker-v2' }] }] },
    );
    const body =
      '{"model":"first","query": "Grüße 👋", "id":12345678901234567890, "top":1.0,\n"model": "rerank"}';
    const echoed = (await (await post(`${gateway.url}/v1/rerank`, body)).json()) as Echoed;
    expect(echoed.body).toBe(
      '{"model":"bge/reranker-v2","query":"Grüße 👋","id":12345678901234567890,"top":1.0}',
    );
    expect(echoed.headers['content-length']).toBe(String(Buffer.byteLength(echoed.body)));
    expect(wrong.requests).toHaveLength(0);
    await eventually(() => gateway.logs.length > 0);
    expect(gateway.logs[0]).toMatchObject({
      route: '/v1/*path',
      status: 200,
      model: 'rerank',
      backend: 'vllm-1',
      outcome: 'completed',
    });
    expect(gateway.routes).toEqual(['/v1/*path']);
  });

  it.each(['llamacpp', 'lmstudio'] as const)('may go to a backend of kind %s', async (kind) => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ kind, url: upstream.url, models: ['m'] }]);
    expect((await post(`${gateway.url}/v1/rerank`, { model: 'm' })).status).toBe(200);
  });

  it('is never sent to Ollama', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ kind: 'ollama', url: upstream.url, models: ['m'] }]);
    const [status, error] = await errorOf(await post(`${gateway.url}/v1/audio/speech`, { model: 'm' }));
    expect(status).toBe(404);
    expect(error).toMatchObject({
      code: 'unknown_url',
      message: 'Invalid URL (POST /v1/audio/speech): no backend of kind openai or vllm has the model `m`.',
    });
    expect(upstream.requests).toHaveLength(0);
  });

  it('that nobody has is not found', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url, models: ['m'] }]);
    const [status, error] = await errorOf(await post(`${gateway.url}/v1/audio/speech`, { model: 'nope' }));
    expect([status, error.code]).toEqual([404, 'model_not_found']);
    expect(upstream.requests).toHaveLength(0);
  });

  it('and cannot be read is refused', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }]);
    const [status, error] = await errorOf(await post(`${gateway.url}/v1/audio/speech`, '{"model": "m'));
    expect([status, error.type]).toEqual([400, 'invalid_request_error']);
    expect(upstream.requests).toHaveLength(0);
  });
});

describe('a lease', () => {
  it('is held until the last byte of the answer, and counts', async () => {
    const answers: ServerResponse[] = [];
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, { 'content-type': 'audio/mpeg' }).write('a');
      answers.push(res);
    });
    const gateway = await startGateway([{ url: upstream.url, maxConcurrency: 1 }]);
    const first = await fetch(`${gateway.url}/v1/files/f/content`);
    expect(gateway.inFlight()).toBe(1);
    const [status, error] = await errorOf(await fetch(`${gateway.url}/v1/files`));
    expect([status, error.code]).toEqual([503, 'server_overloaded']);
    answers[0]?.end('b');
    expect(await first.text()).toBe('ab');
    await eventually(() => gateway.inFlight() === 0);
    expect(upstream.requests).toHaveLength(1);
  });
});

// --- what goes along ---
