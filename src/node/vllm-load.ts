/** vLLM's metrics page → how busy it is. */

import type { BackendLoad } from '../core/fleet.ts';

const RUNNING = 'vllm:num_requests_running';
const WAITING = 'vllm:num_requests_waiting';
/** The second is the name that older versions have. */
const CACHE_USAGE = ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc'];

/** undefined when the page is another one. A server with several engines has a line for each. */
export function toVllmLoad(page: string): BackendLoad | undefined {
  const samples = new Map<string, number[]>();
  for (const line of page.split('\n')) {
    const [, name, value] = /^([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)/.exec(line) ?? [];
    const number = Number(value);
    if (name?.startsWith('vllm:') && Number.isFinite(number)) {
      samples.set(name, [...(samples.get(name) ?? []), number]);
    }
  }
  const running = samples.get(RUNNING);
  if (!running) return undefined;
  const usages = CACHE_USAGE.flatMap((name) => samples.get(name) ?? []);
  return {
    running: sum(running),
    waiting: sum(samples.get(WAITING) ?? []),
    cacheUsage: usages.length === 0 ? undefined : Math.max(...usages),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
