/** traceparent and tracestate: from clients, to backends, with traces and without. */

import { describe, expect, it } from '@jest/globals';
import { saying, type ScriptedBackend } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { createTracedSetup } from '../support/traced.ts';
import type { TestGateway } from '../support/gateway.ts';

const setup = createSetup();
const startTraced = createTracedSetup(setup);

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;
const TRACESTATE = 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7';

async function chat({ chat }: TestGateway, headers: Record<string, string>): Promise<void> {
  const response = await chat({}, { headers: { 'content-type': 'application/json', ...headers } });
  expect(response.status).toBe(200);
  await response.text();
}

async function rerank({ url }: TestGateway, headers: Record<string, string>): Promise<void> {
  const response = await fetch(`${url}/v1/rerank`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: '{"model":"m"}',
  });
  expect(response.status).toBe(200);
  await response.text();
}

const WAYS = [
  ['a chat', chat],
  ['a request that is passed on raw', rerank],
] as const;

function heard({ calls }: ScriptedBackend): (string | string[] | undefined)[] {
  return [calls[0]?.headers.traceparent, calls[0]?.headers.tracestate];
}

describe.each(WAYS)('%s', (_, send) => {
  it('goes on with the trace of its client, and so does the backend', async () => {
    const backend = await setup.backend(saying('Hello'));
    const traced = await startTraced({ env: { VLLM_BASE_URL: backend.url } });
    await send(traced.gateway, { traceparent: TRACEPARENT, tracestate: TRACESTATE });
    const [server, client] = await traced.spans(2);
    expect(server).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, traceState: TRACESTATE });
    expect(client).toMatchObject({ traceId: TRACE, parentSpanId: server?.spanId });
    expect(heard(backend)).toEqual([`00-${TRACE}-${String(client?.spanId)}-01`, TRACESTATE]);
  });

  it('that its client does not want recorded is not, and the backend hears so', async () => {
    const backend = await setup.backend(saying('Hello'));
    const traced = await startTraced({ env: { VLLM_BASE_URL: backend.url } });
    await send(traced.gateway, { traceparent: `00-${TRACE}-${PARENT}-00` });
    await traced.gateway.flushTraces();
    expect(traced.receiver.requests).toEqual([]);
    expect(backend.calls[0]?.headers.traceparent).toMatch(new RegExp(`^00-${TRACE}-[\\da-f]{16}-00$`));
  });

  it('is told nothing of where the operator does not want that', async () => {
    const backend = await setup.backend(saying('Hello'));
    const traced = await startTraced({ env: { VLLM_BASE_URL: backend.url, PROPAGATE_TRACES: 'false' } });
    await send(traced.gateway, { traceparent: TRACEPARENT, tracestate: TRACESTATE });
    await traced.spans(2);
    expect(heard(backend)).toEqual([undefined, undefined]);
  });

  it('is passed on with what its client says where nothing is traced', async () => {
    const backend = await setup.backend(saying('Hello'));
    const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url } });
    await send(gateway, { traceparent: TRACEPARENT, tracestate: TRACESTATE });
    expect(heard(backend)).toEqual([TRACEPARENT, TRACESTATE]);
    const line = gateway.logs.find(({ message }) => message === 'request');
    expect(line?.fields).not.toHaveProperty('trace_id');
  });

  it('is passed on without it where the operator does not want that', async () => {
    const backend = await setup.backend(saying('Hello'));
    const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url, PROPAGATE_TRACES: 'false' } });
    await send(gateway, { traceparent: TRACEPARENT });
    expect(heard(backend)).toEqual([undefined, undefined]);
  });

  it('is passed on without what is ill-formed', async () => {
    const backend = await setup.backend(saying('Hello'));
    const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url } });
    await send(gateway, { traceparent: `${TRACEPARENT}-more`, tracestate: TRACESTATE });
    expect(heard(backend)).toEqual([undefined, undefined]);
  });
});

it('what is ill-formed begins a trace of its own', async () => {
  const backend = await setup.backend(saying('Hello'));
  const traced = await startTraced({ env: { VLLM_BASE_URL: backend.url } });
  await chat(traced.gateway, { traceparent: `00-${TRACE}-${'0'.repeat(16)}-01`, tracestate: TRACESTATE });
  const [server] = await traced.spans(2);
  expect(server).toMatchObject({ parentSpanId: '', traceState: '' });
  expect(server?.traceId).not.toBe(TRACE);
});

it('a sampler that asks nobody records also what the client does not want recorded', async () => {
  const backend = await setup.backend(saying('Hello'));
  const traced = await startTraced({ env: { VLLM_BASE_URL: backend.url, OTEL_TRACES_SAMPLER: 'always_on' } });
  await chat(traced.gateway, { traceparent: `00-${TRACE}-${PARENT}-00` });
  expect((await traced.spans(2))[0]).toMatchObject({ traceId: TRACE, parentSpanId: PARENT });
});
