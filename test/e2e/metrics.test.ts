/** Numbers that come from backends, keys and workers, over real sockets. */

import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { buildProgram, runProgram, type Program } from '../support/program.ts';
import { saying } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';

const setup = createSetup();
const running: Program[] = [];

const VLLM_PAGE = `# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting{engine="0",model_name="m"} 7.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
`;

beforeAll(buildProgram, 60_000);
afterEach(async () => {
  for (const program of running.splice(0)) {
    program.process.kill('SIGTERM');
    await program.ended;
  }
});

describe('the metrics', () => {
  it('are those of the table in docs/operations.md', async () => {
    const backend = await setup.backend(saying('x'));
    // Where nobody listens; one metric is there with Redis only.
    const env = { OLLAMA_BASE_URL: backend.url, REDIS_URL: 'redis://127.0.0.1:1' };
    const gateway = await setup.gateway({ env });
    const page = await (await fetch(`${gateway.url}/metrics`)).text();
    const typesOf = (text: string, line: RegExp): object =>
      Object.fromEntries([...text.matchAll(line)].map(([, name = '', type]) => [name, type]));
    const table = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    expect(typesOf(page, /^# TYPE ((?:ai|http)_\w+) (\w+)$/gm)).toEqual(
      typesOf(table, /^\| `((?:ai|http)_\w+)` \| (\w+) \|/gm),
    );
  });

  it('tell what Ollama holds in memory and how busy vLLM says it is', async () => {
    const ollama = await setup.backend(saying('x'), { resident: ['m', 'n'] });
    const vllm = await setup.backend(saying('x'), { metricsPage: VLLM_PAGE });
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: ollama.url, VLLM_BASE_URL: vllm.url } });
    const value = (name: string, backend: string): Promise<number> => gateway.metric(name, { backend });
    expect(await value('ai_gateway_backend_resident_models', 'ollama')).toBe(2);
    expect(await value('ai_gateway_backend_running_requests', 'vllm')).toBe(2);
    expect(await value('ai_gateway_backend_waiting_requests', 'vllm')).toBe(7);
    expect(await value('ai_gateway_backend_cache_usage_ratio', 'vllm')).toBe(0.25);
  });

  it("count a key's tokens under its name and tell its budget, also after a reload", async () => {
    const backend = await setup.backend(saying('a', 'b'));
    const key = 'sk-0123456789abcdef';
    const fileOf = (tokens: number): string =>
      `auth: { clients: [{ name: chat, key: ${key}, limits: { tokensPerDay: ${String(tokens)} } }] }`;
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url }, file: fileOf(500) });
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
    await (await gateway.chat({}, { headers })).text();
    expect(await gateway.metric('ai_gateway_key_tokens_total', { key: 'chat', type: 'input' })).toBe(5);
    expect(await gateway.metric('ai_gateway_key_tokens_total', { key: 'chat', type: 'output' })).toBe(2);
    const budget = (): Promise<number> =>
      gateway.metric('ai_gateway_key_budget_tokens', { key: 'chat', period: 'day' });
    expect(await budget()).toBe(500);
    gateway.rewrite(fileOf(900));
    await gateway.reload();
    expect(await budget()).toBe(900);
  });

  it('of workers add up what each of them has, and not what all of them see', async () => {
    const backend = await setup.backend(saying('x'), { resident: ['m'] });
    const program = runProgram({
      WORKERS: '2',
      DRAIN_TIMEOUT: '1000',
      OLLAMA_BASE_URL: backend.url,
      BACKEND_CONCURRENCY: '5',
    });
    running.push(program);
    const origin = /http:\/\/localhost:\d+(?=\/v1)/.exec(await program.until("}'"))?.[0] ?? '';
    const page = async (): Promise<string> =>
      (await fetch(`${origin}/metrics`, { headers: { connection: 'close' } })).text();
    // The second worker may still be on its way.
    await eventually(async () => (await page()).includes('ai_gateway_backend_slots{backend="ollama"} 5\n'));
    const text = await page();
    expect(text).toMatch(/^ai_gateway_backend_resident_models\{backend="ollama"\} 1$/m);
    expect(text).toMatch(/^ai_gateway_build_info\{version="[\d.]+",node="v[\d.]+"\} 1$/m);
    expect(text).toMatch(/^ai_gateway_config_current 1$/m);
    expect(text).toMatch(/^ai_gateway_circuit_state\{backend="ollama"\} 0$/m);
    expect(text).toMatch(/^ai_gateway_draining 0$/m);
  });
});
