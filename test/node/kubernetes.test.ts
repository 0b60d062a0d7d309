/** Pods of a Service, found and followed through the API of Kubernetes. */

import { rootCertificates } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Logger } from '../../src/core/exchange.ts';
import { createKubernetesEndpoints, type KubernetesEndpoints } from '../../src/node/kubernetes/endpoints.ts';
import { TLS_CERTIFICATE, TLS_KEY } from '../support/certificate.ts';
import { startKubernetes, type Certificate, type FakeKubernetes } from '../support/kubernetes-api.ts';
import { saying, ollamaDone, ollamaToken, type ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { openStream, parseStream } from '../support/sse.ts';

const setup = createSetup();
const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function startApi(certificate?: Certificate): Promise<FakeKubernetes> {
  const api = await startKubernetes(certificate);
  closers.push(api.close);
  return api;
}

interface Watching {
  readonly endpoints: KubernetesEndpoints;
  /** Addresses with the ports that differ from the url's. */
  pods(url?: string): Promise<string[]>;
  readonly waits: readonly number[];
  readonly warnings: readonly string[];
  changes(): number;
  /** Lets the wait that is going on end. */
  wake(): void;
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Waits last until somebody wakes them. */
function follow(api: FakeKubernetes): Watching {
  const waits: number[] = [];
  const warnings: string[] = [];
  let changes = 0;
  let wake = (): void => undefined;
  const note = (_message: string, fields: object = {}): void => {
    warnings.push((fields as { error: Error }).error.message);
  };
  const endpoints = createKubernetesEndpoints(() => api, {
    logger: { ...silent, warn: note, error: note },
    onChange: () => {
      changes += 1;
    },
    random: () => 1,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        waits.push(ms);
        wake = resolve;
        signal.addEventListener('abort', () => {
          resolve();
        });
      }),
  });
  closers.push(endpoints.close);
  return {
    endpoints,
    waits,
    warnings,
    changes: () => changes,
    wake: () => {
      wake();
    },
    async pods(url = 'http://vllm:8000') {
      const found = await endpoints.lookUp(new URL(url));
      return found.map(({ address, port }) => (port === undefined ? address : `${address}:${String(port)}`));
    },
  };
}

describe('the pods of a Service', () => {
  it('are those that are ready and stay, each once', async () => {
    const api = await startApi();
    api.put('a', {
      service: 'vllm',
      pods: [
        { address: '10.0.0.2', ready: true },
        { address: '10.0.0.1' },
        { address: '10.0.0.3', ready: false },
        { address: '10.0.0.4', ready: true, terminating: true },
      ],
    });
    api.put('b', { service: 'vllm', pods: [{ address: '10.0.0.1', ready: true }] });
    api.put('other', { service: 'ollama', pods: [{ address: '10.0.0.9', ready: true }] });
    expect(await follow(api).pods()).toEqual(['10.0.0.1', '10.0.0.2']);
  });

  it('are looked for in the namespace of the host, else in its own', async () => {
    const api = await startApi();
    api.put('a', { service: 'vllm', pods: [{ address: '10.0.0.1' }] });
    api.put('b', { service: 'vllm', namespace: 'models', pods: [{ address: '10.0.0.2' }] });
    const { pods } = follow(api);
    expect(await pods('http://vllm:8000')).toEqual(['10.0.0.1']);
    expect(await pods('http://vllm.models.svc.cluster.local:8000')).toEqual(['10.0.0.2']);
  });

  it('have a port of their own where the Service calls it otherwise', async () => {
    const api = await startApi();
    api.put('a', { service: 'vllm', pods: [{ address: '10.0.0.1' }], port: 8000 });
    const { pods } = follow(api);
    expect(await pods('http://vllm')).toEqual(['10.0.0.1:8000']);
    expect(await pods('http://vllm:8000')).toEqual(['10.0.0.1']);
  });

  it('are one machine each, also with addresses of both families', async () => {
    const api = await startApi();
    api.put('new', { service: 'vllm', pods: [{ address: 'fd00::1' }], addressType: 'IPv6' });
    const { pods, changes } = follow(api);
    expect(await pods()).toEqual(['fd00::1']);
    api.put('old', { service: 'vllm', pods: [{ address: '10.0.0.1' }] });
    api.put('name', { service: 'vllm', pods: [{ address: 'elsewhere.example' }], addressType: 'FQDN' });
    await eventually(() => changes() > 1);
    expect(await pods()).toEqual(['10.0.0.1']);
  });

  it('are listed page by page', async () => {
    const api = await startApi();
    const names = Array.from({ length: 501 }, (_, i) => `10.1.${String(i >> 8)}.${String(i & 255)}`);
    for (const address of names) api.put(address, { service: 'vllm', pods: [{ address }] });
    expect(await follow(api).pods()).toHaveLength(501);
    expect(api.requests.map(({ searchParams }) => searchParams.get('continue'))).toEqual([null, '500']);
  });
});

describe('a watch', () => {
  it('tells of pods that come, change and go', async () => {
    const api = await startApi();
    const { pods } = follow(api);
    expect(await pods()).toEqual([]);
    api.put('a', { service: 'vllm', pods: [{ address: '10.0.0.1', ready: false }] });
    api.put('b', { service: 'vllm', pods: [{ address: '10.0.0.2' }] });
    await eventually(async () => (await pods()).join() === '10.0.0.2');
    api.put('a', { service: 'vllm', pods: [{ address: '10.0.0.1', ready: true }] });
    await eventually(async () => (await pods()).join() === '10.0.0.1,10.0.0.2');
    api.remove('b');
    await eventually(async () => (await pods()).join() === '10.0.0.1');
  });

  it('goes on from its last bookmark when the API ends it, without another list', async () => {
    const api = await startApi();
    const { pods, wake, waits } = follow(api);
    await pods();
    await eventually(() => api.watches() === 1);
    api.bookmark();
    api.endWatches();
    await eventually(() => api.watches() === 1 || waits.length > 0);
    wake();
    api.put('a', { service: 'vllm', pods: [{ address: '10.0.0.1' }] });
    await eventually(async () => (await pods()).length === 1);
    const kinds = api.requests.map(({ searchParams }) => searchParams.get('resourceVersion'));
    expect(kinds).toEqual([null, '100', '110']);
  });

  it('that ends at once is not asked for again in the same moment', async () => {
    const api = await startApi();
    const { pods, waits } = follow(api);
    await pods();
    await eventually(() => api.watches() === 1);
    api.endWatches();
    await eventually(() => waits.length === 1);
    expect(waits).toEqual([400]);
    expect(api.requests).toHaveLength(2);
  });

  it('begins with a new list when its version was forgotten', async () => {
    const api = await startApi();
    const { pods, warnings, wake, waits } = follow(api);
    await pods();
    await eventually(() => api.watches() === 1);
    api.endWatches();
    api.put('a', { service: 'vllm', pods: [{ address: '10.0.0.1' }] });
    api.compact();
    await eventually(() => waits.length === 1);
    wake();
    await eventually(async () => (await pods()).length === 1);
    expect(warnings).toEqual([]);
  });

  it('that breaks in the middle of an event begins anew, later each time, and nothing is forgotten meanwhile', async () => {
    const api = await startApi();
    api.put('a', { service: 'vllm', pods: [{ address: '10.0.0.1' }] });
    const { pods, wake, waits } = follow(api);
    await pods();
    for (const expected of [[400], [400, 800], [400, 800, 1600]]) {
      await eventually(() => api.watches() === 1);
      api.breakWatches();
      await eventually(() => waits.length === expected.length);
      expect(waits).toEqual(expected);
      expect(await pods()).toEqual(['10.0.0.1']);
      wake();
    }
    await eventually(() => api.watches() === 1);
    api.put('b', { service: 'vllm', pods: [{ address: '10.0.0.2' }] });
    await eventually(async () => (await pods()).length === 2);
    api.breakWatches();
    await eventually(() => waits.length === 4);
    expect(waits.at(-1)).toBe(400);
  });

  it('does not grow without end on an event without end', async () => {
    const api = await startApi();
    const { pods, waits, warnings } = follow(api);
    await pods();
    await eventually(() => api.watches() === 1);
    api.say('x'.repeat(5 * 1024 * 1024));
    await eventually(() => waits.length === 1);
    expect(warnings[0]).toContain('bytes');
    await eventually(() => api.watches() === 0);
  });

  it('ends when nobody wants it any more', async () => {
    const api = await startApi();
    const { pods, endpoints } = follow(api);
    await pods('http://vllm:8000');
    await pods('http://vllm.models:8000');
    await eventually(() => api.watches() === 2);
    endpoints.keepOnly(new Set(['vllm']));
    await eventually(() => api.watches() === 1);
    endpoints.close();
    await eventually(() => api.watches() === 0);
  });
});

describe('the service account', () => {
  it('is told what it lacks, and is let in as soon as it may', async () => {
    const api = await startApi();
    api.put('a', { service: 'vllm', pods: [{ address: '10.0.0.1' }] });
    api.allow('models');
    const { pods, warnings, wake, waits } = follow(api);
    await expect(pods()).rejects.toThrow(/allow get, list and watch/);
    await eventually(() => waits.length === 1);
    api.allow('default');
    wake();
    await eventually(async () => (await pods().catch(() => [])).length === 1);
    expect(warnings).toHaveLength(1);
  });

  it('gets a new token now and then, and the next call has it', async () => {
    const api = await startApi();
    const { pods, waits, wake } = follow(api);
    await pods();
    await eventually(() => api.watches() === 1);
    api.rotate('second-token');
    api.endWatches();
    await eventually(() => waits.length === 1);
    wake();
    await eventually(() => api.watches() === 1);
    expect(waits).toHaveLength(1);
  });

  it('that is not there is a reason, and is looked for again', async () => {
    const api = await startApi();
    const { lookUp } = createKubernetesEndpoints(() => ({ url: api.url, credentialsFolder: '/nowhere' }), {
      logger: console,
      onChange: () => undefined,
      random: () => 0,
    });
    await expect(lookUp(new URL('http://vllm'))).rejects.toThrow(/ENOENT/);
    await expect(lookUp(new URL('http://vllm'))).rejects.toThrow(/ENOENT/);
  });
});

describe('the API', () => {
  it('is trusted by the authority that the kubelet gives, and by no other', async () => {
    const own = { key: TLS_KEY, cert: TLS_CERTIFICATE, ca: TLS_CERTIFICATE };
    const api = await startApi(own);
    api.put('a', { service: 'vllm', pods: [{ address: '10.0.0.1' }] });
    expect(await follow(api).pods()).toEqual(['10.0.0.1']);
    const stranger = await startApi({ ...own, ca: rootCertificates[0] ?? '' });
    await expect(follow(stranger).pods()).rejects.toThrow(/self-signed/);
  });
});

describe('a gateway in a cluster', () => {
  const configure = (api: FakeKubernetes, port: number): string => `
discovery:
  kubernetes: { url: '${api.url}', credentialsFolder: '${api.credentialsFolder}' }
backends: [{ name: gpu, kind: ollama, url: 'http://ollama:${String(port)}', discovery: kubernetes }]`;

  it('moves on to a new pod at once, and lets the old one finish', async () => {
    let call: ScriptedCall | undefined;
    const old = await setup.backend(async (given) => {
      call = given;
      await given.write(ollamaToken('one'));
    });
    const next = await setup.backend(saying('from the next'));
    const api = await startApi();
    api.put('a', { service: 'ollama', pods: [{ address: '127.0.0.1' }], port: old.port });
    const gateway = await setup.gateway({ file: configure(api, old.port), isClockStopped: true });
    expect(gateway.deps.status().map(({ backend }) => backend.name)).toEqual(['gpu@127.0.0.1']);
    const stream = openStream(await gateway.chat({ stream: true }));
    await stream.until('one');

    api.put('a', { service: 'ollama', pods: [{ address: '127.0.0.1' }], port: next.port });
    const urls = (): string[] => gateway.deps.status().map(({ backend }) => backend.url);
    await eventually(() => urls().join() === `http://ollama:${String(next.port)}`);
    expect(await (await gateway.chat()).json()).toMatchObject({
      choices: [{ message: { content: 'from the next' } }],
    });
    call?.end(ollamaToken('two') + ollamaDone());
    expect(parseStream(await stream.rest())).toMatchObject({ text: 'onetwo', isDone: true });
  });

  it('says that the backend is away, not that there is no such model, while there is no pod', async () => {
    const api = await startApi();
    const gateway = await setup.gateway({ file: configure(api, 1), isClockStopped: true });
    expect(gateway.deps.status().map(({ backend }) => backend.name)).toEqual(['gpu']);
    const response = await gateway.chat({ model: 'gpu/m' });
    expect(response.status).toBe(503);
  });
});
