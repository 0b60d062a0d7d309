/** A tool call that the server cannot read is the model's slip: the same backend may do better. */

import { describe, expect, it } from '@jest/globals';
import { failing, ollamaDone, ollamaToken, type Script } from '../support/scripted-backend.ts';
import type { TestGateway } from '../support/gateway.ts';
import { createSetup } from '../support/setup.ts';

const setup = createSetup();

const SLIP = { error: `error parsing tool call: raw='{"city": Oslo}', err=invalid character 'O'` };

const refused = failing(500, SLIP);
const brokenOff: Script = async (call) => {
  await call.write(ollamaToken(''));
  call.end(`${JSON.stringify(SLIP)}\n`);
};
const well: Script = async (call) => {
  const called = { function: { name: 'f', arguments: { city: 'Oslo' } } };
  await call.write(ollamaToken('', { tool_calls: [called] }));
  call.end(ollamaDone());
};

const TOOLS = { tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }] };

/** Each call gets the next script, and the last one again and again. */
async function start(
  scripts: readonly [Script, ...Script[]],
  env: Readonly<Record<string, string>> = {},
): Promise<{ gateway: TestGateway; calls: () => number }> {
  const left = [...scripts];
  const backend = await setup.backend(async (call) => {
    const next = left.length > 1 ? left.shift() : left[0];
    await next?.(call);
  });
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ...env } });
  return { gateway, calls: () => backend.calls.length };
}

describe.each([
  ['with a status', refused],
  ['in a record', brokenOff],
])('a slip that is told %s', (_, slip) => {
  it.each([false, true])('is made up for by a second try (streamed: %s)', async (stream) => {
    const { gateway, calls } = await start([slip, well]);
    const response = await gateway.chat({ ...TOOLS, stream });
    expect(await response.text()).toContain('Oslo');
    expect([response.status, calls()]).toEqual([200, 2]);
    expect(
      await gateway.metric('ai_gateway_failovers_total', {
        backend: 'ollama',
        reason: 'tool_call_parse_error',
      }),
    ).toBe(1);
  });

  it('is told when it happens again', async () => {
    const { gateway, calls } = await start([slip]);
    const response = await gateway.chat(TOOLS);
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { code: 'tool_call_parse_error' } });
    expect(calls()).toBe(2);
  });

  it.each([
    ['one attempt is all there is', { MAX_ATTEMPTS: '1' }],
    ['the retry budget is spent', { RETRY_BUDGET_RATIO: '0', RETRY_BUDGET_MIN_PER_SECOND: '0' }],
  ])('is told at once when %s', async (_why, env) => {
    const { gateway, calls } = await start([slip, well], env);
    expect((await gateway.chat(TOOLS)).status).toBe(502);
    expect(calls()).toBe(1);
  });
});

it('a slip after something was told is not made up for', async () => {
  const late: Script = async (call) => {
    await call.write(ollamaToken('I call f.'));
    call.end(`${JSON.stringify(SLIP)}\n`);
  };
  const { gateway, calls } = await start([late, well]);
  const text = await (await gateway.chat({ ...TOOLS, stream: true })).text();
  expect(text).toContain('tool_call_parse_error');
  expect(text).not.toContain('[DONE]');
  expect(calls()).toBe(1);
});

it('any other failure of the only backend is told at once', async () => {
  const { gateway, calls } = await start([failing(500, { error: 'out of memory' }), well]);
  expect((await gateway.chat(TOOLS)).status).toBe(502);
  expect(calls()).toBe(1);
});

it('backends are not tried more often for it than the limit says', async () => {
  const first = await setup.backend(refused);
  const second = await setup.backend(refused);
  const gateway = await setup.gateway({
    env: { OLLAMA_BASE_URL: `${first.url},${second.url}`, MAX_ATTEMPTS: '2' },
  });
  expect((await gateway.chat(TOOLS)).status).toBe(502);
  expect(first.calls.length + second.calls.length).toBe(2);
});
