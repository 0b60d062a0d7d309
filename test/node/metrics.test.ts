/** What is counted, under which labels, and how the numbers of workers come together. */

import { describe, expect, it } from '@jest/globals';
import { ANONYMOUS, NO_LIMITS, type Client } from '../../src/core/client.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { ExchangeRecord } from '../../src/core/exchange.ts';
import type { BackendStatus } from '../../src/core/fleet.ts';
import { alone } from '../../src/node/cluster-questions.ts';
import { MAX_KEY_LABELS } from '../../src/node/metrics/keys.ts';
import { createMetrics, type MetricSources, type Metrics } from '../../src/node/metrics.ts';
import { backendOf } from '../support/fleet.ts';

const SOURCES: MetricSources = {
  status: () => [],
  active: () => [],
  keys: () => [],
  isDraining: () => false,
  isLimitStoreUp: undefined,
  askAll: alone.askAll,
  version: '1.2.3',
};

const RECORD: ExchangeRecord = {
  requestId: 'r',
  client: 'chat',
  keyId: 'key_chat',
  model: 'm',
  backend: 'a',
  isStream: true,
  status: 'completed',
  error: undefined,
  attempts: 1,
  failovers: [],
  wasRetryRefused: false,
  rescues: 0,
  queueMs: undefined,
  durationMs: 1000,
  ttftMs: 100,
  inferenceMs: 990,
  overheadMs: 1,
  usage: { prompt: 5, completion: 10, cached: 0, reasoning: 0 },
  seenTokens: 10,
};

const left = new GatewayError('client_closed', { message: 'The client closed the connection.' });

function statusOf(name: string, more: Partial<BackendStatus> = {}): BackendStatus {
  return {
    backend: backendOf(name),
    isDrained: false,
    isUp: true,
    circuit: 'closed',
    inFlight: 0,
    queued: 0,
    discovery: undefined,
    ...more,
  };
}

function clientOf(name: string, tokensPerDay = 0, tokensPerMonth = 0): Client {
  return { ...ANONYMOUS, name, limits: { ...NO_LIMITS, tokensPerDay, tokensPerMonth } };
}

/** The samples whose name begins so, as they stand on the page. */
async function samples(metrics: Metrics, prefix: string): Promise<string[]> {
  const { body } = await metrics.render();
  return body.split('\n').filter((line) => line.startsWith(prefix));
}

describe('backends', () => {
  it('tell slots, resident models and load where there are such, and nothing where there are none', async () => {
    const models = new Map();
    const load = { running: 3, waiting: 2, cacheUsage: 0.5 };
    const status = [
      statusOf('ollama', {
        backend: backendOf('ollama', { maxConcurrency: 4 }),
        inFlight: 3,
        queued: 1,
        circuit: 'open',
        discovery: { models, version: '', resident: ['m', 'n'] },
      }),
      statusOf('vllm', { isDrained: true, discovery: { models, version: '', load } }),
      statusOf('old', { discovery: { models, version: '', load: { ...load, cacheUsage: undefined } } }),
      statusOf('new'),
    ];
    const metrics = createMetrics({ ...SOURCES, status: () => status });
    expect(await samples(metrics, 'ai_gateway_backend_slots{')).toEqual([
      'ai_gateway_backend_slots{backend="ollama"} 4',
    ]);
    expect(await samples(metrics, 'ai_gateway_backend_resident_models{')).toEqual([
      'ai_gateway_backend_resident_models{backend="ollama"} 2',
    ]);
    expect(await samples(metrics, 'ai_gateway_backend_running_requests{')).toEqual([
      'ai_gateway_backend_running_requests{backend="vllm"} 3',
      'ai_gateway_backend_running_requests{backend="old"} 3',
    ]);
    expect(await samples(metrics, 'ai_gateway_backend_waiting_requests{')).toHaveLength(2);
    expect(await samples(metrics, 'ai_gateway_backend_cache_usage_ratio{')).toEqual([
      'ai_gateway_backend_cache_usage_ratio{backend="vllm"} 0.5',
    ]);
    expect(await samples(metrics, 'ai_gateway_circuit_state{backend="ollama"}')).toEqual([
      'ai_gateway_circuit_state{backend="ollama"} 2',
    ]);
    expect(await samples(metrics, 'ai_gateway_backend_in_flight{backend="ollama"}')).toEqual([
      'ai_gateway_backend_in_flight{backend="ollama"} 3',
    ]);
    expect(await samples(metrics, 'ai_gateway_backend_drained{')).toEqual([
      'ai_gateway_backend_drained{backend="ollama"} 0',
      'ai_gateway_backend_drained{backend="vllm"} 1',
      'ai_gateway_backend_drained{backend="old"} 0',
      'ai_gateway_backend_drained{backend="new"} 0',
    ]);
    expect(await samples(metrics, 'ai_gateway_queue_depth{backend="ollama"}')).toEqual([
      'ai_gateway_queue_depth{backend="ollama"} 1',
    ]);
  });

  it('that are down have no load, and those that are gone have no numbers', async () => {
    const discovery = { models: new Map(), version: '', load: { running: 1, waiting: 0, cacheUsage: 0 } };
    let status = [statusOf('a', { isUp: false, discovery })];
    const metrics = createMetrics({ ...SOURCES, status: () => status });
    expect(await samples(metrics, 'ai_gateway_backend_running_requests{')).toEqual([]);
    expect(await samples(metrics, 'ai_gateway_backend_up{')).toEqual([
      'ai_gateway_backend_up{backend="a"} 0',
    ]);
    status = [];
    expect(await samples(metrics, 'ai_gateway_backend_up{')).toEqual([]);
  });
});

describe('keys', () => {
  it('have their tokens by type, and no series for what was never counted', async () => {
    const metrics = createMetrics(SOURCES);
    metrics.exchange({ ...RECORD, usage: { prompt: 5, completion: 10, cached: 2, reasoning: 3 } });
    metrics.exchange({ ...RECORD, client: 'other-key' });
    metrics.exchange({ ...RECORD, client: 'uncounted', usage: null });
    expect(await samples(metrics, 'ai_gateway_key_tokens_total{')).toEqual([
      'ai_gateway_key_tokens_total{key="chat",type="input"} 5',
      'ai_gateway_key_tokens_total{key="chat",type="output"} 10',
      'ai_gateway_key_tokens_total{key="chat",type="cached"} 2',
      'ai_gateway_key_tokens_total{key="chat",type="reasoning"} 3',
      'ai_gateway_key_tokens_total{key="other-key",type="input"} 5',
      'ai_gateway_key_tokens_total{key="other-key",type="output"} 10',
    ]);
  });

  it('beyond those that were used first share one label', async () => {
    const metrics = createMetrics(SOURCES);
    for (let i = 0; i < MAX_KEY_LABELS + 10; i++) metrics.exchange({ ...RECORD, client: `key-${String(i)}` });
    metrics.exchange({ ...RECORD, client: 'key-0' });
    const input = (await samples(metrics, 'ai_gateway_key_tokens_total{')).filter((line) =>
      line.includes('type="input"'),
    );
    expect(input).toHaveLength(MAX_KEY_LABELS + 1);
    expect(input[0]).toBe('ai_gateway_key_tokens_total{key="key-0",type="input"} 10');
    expect(input.at(-1)).toBe('ai_gateway_key_tokens_total{key="other",type="input"} 50');
  });

  it('tell their budgets once they are used, as the configuration that holds has them', async () => {
    let keys = [clientOf('chat', 1000, 20_000), clientOf('idle', 5), clientOf('free')];
    const metrics = createMetrics({ ...SOURCES, keys: () => keys });
    expect(await samples(metrics, 'ai_gateway_key_budget_tokens{')).toEqual([]);
    metrics.exchange(RECORD);
    metrics.exchange({ ...RECORD, client: 'free' });
    expect(await samples(metrics, 'ai_gateway_key_budget_tokens{')).toEqual([
      'ai_gateway_key_budget_tokens{key="chat",period="day"} 1000',
      'ai_gateway_key_budget_tokens{key="chat",period="month"} 20000',
    ]);
    keys = [clientOf('chat', 2000)];
    expect(await samples(metrics, 'ai_gateway_key_budget_tokens{')).toEqual([
      'ai_gateway_key_budget_tokens{key="chat",period="day"} 2000',
    ]);
  });
});

describe('exchanges', () => {
  it('that fail are counted by reason, with the status of that reason, streams and others alike', async () => {
    const metrics = createMetrics(SOURCES);
    const error = new GatewayError('upstream_idle_timeout', { message: 'silence' });
    metrics.exchange({ ...RECORD, status: 'timeout', error });
    metrics.exchange({ ...RECORD, status: 'timeout', error, isStream: false });
    expect(await samples(metrics, 'ai_gateway_errors_total{')).toEqual([
      'ai_gateway_errors_total{reason="upstream_idle_timeout",status="504",backend="a"} 2',
    ]);
  });

  it.each([
    ['waiting', { attempts: 0, backend: '', ttftMs: undefined }],
    ['first_token', { ttftMs: undefined }],
    ['answer', {}],
  ])('whose client left are counted by how far they were: %s', async (stage, more) => {
    const metrics = createMetrics(SOURCES);
    metrics.exchange({ ...RECORD, status: 'client_aborted', error: left, ...more });
    const counted = await samples(metrics, 'ai_gateway_client_aborts_total{');
    expect(counted).toHaveLength(3);
    expect(counted.filter((line) => line.endsWith(' 1'))).toEqual([
      `ai_gateway_client_aborts_total{stage="${stage}"} 1`,
    ]);
  });

  it('have no effect on what has not happened: those counters are there and 0 from the start', async () => {
    const { body } = await createMetrics(SOURCES).render();
    for (const sample of [
      'ai_gateway_streams_total{status="upstream_error"}',
      'ai_gateway_client_aborts_total{stage="answer"}',
      'ai_gateway_retries_total{result="refused"}',
      'ai_gateway_config_reloads_total{result="refused"}',
      'ai_gateway_rescues_total',
    ]) {
      expect(body).toContain(`\n${sample} 0\n`);
    }
  });
});

describe('the program', () => {
  it('tells its version and that of Node', async () => {
    expect(await samples(createMetrics(SOURCES), 'ai_gateway_build_info{')).toEqual([
      `ai_gateway_build_info{version="1.2.3",node="${process.version}"} 1`,
    ]);
  });

  it('tells that an older configuration is in force, until one is taken over', async () => {
    const metrics = createMetrics(SOURCES);
    const current = (): Promise<string[]> => samples(metrics, 'ai_gateway_config_current');
    expect(await current()).toEqual(['ai_gateway_config_current 1']);
    metrics.reloaded(false);
    expect(await current()).toEqual(['ai_gateway_config_current 0']);
    metrics.reloaded(true);
    expect(await current()).toEqual(['ai_gateway_config_current 1']);
  });
});
