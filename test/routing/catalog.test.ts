/** Names of models and where they lead. */

import { describe, expect, it } from '@jest/globals';
import type { Alias, BackendStatus, Catalog, KindName } from '../../src/core/fleet.ts';
import { ANONYMOUS } from '../../src/core/client.ts';
import { createCatalog } from '../../src/routing/catalog.ts';
import { backendOf } from '../support/fleet.ts';

function statusOf(name: string, kind: KindName, models: readonly string[] | undefined): BackendStatus {
  const backend = backendOf(name, { kind });
  const entries = models?.map(
    (model) => [model, { name: model, created: 7, ownedBy: 'them', digest: '' }] as const,
  );
  return {
    backend,
    isDrained: false,
    isUp: true,
    circuit: 'closed',
    inFlight: 0,
    queued: 0,
    discovery: entries && { models: new Map(entries), version: '1' },
  };
}

const FLEET = [
  statusOf('ollama', 'ollama', ['llama3.2:latest', 'qwen3:8b']),
  statusOf('ollama-2', 'ollama', ['qwen3:8b']),
  statusOf('vllm', 'vllm', ['meta-llama/Llama-3.1-8B', 'vllm/odd']),
];

function catalogOf(aliases: readonly Alias[] = [], fleet: readonly BackendStatus[] = FLEET): Catalog {
  return createCatalog({ mayUse: () => true, aliases, status: () => fleet, startedAt: 5 });
}

function aliasOf(name: string, targets: Alias['targets'], numCtx: number): Alias {
  return {
    name,
    type: 'chat',
    targets,
    options: { num_ctx: numCtx },
    requestOptions: ['num_gpu'],
    completionTemplate: true,
  };
}

function targetsOf(catalog: Catalog, name: string): string[] {
  return catalog
    .resolve(name, ANONYMOUS)
    .targets.map(({ backend, upstreamModel }) => `${backend.name} ${upstreamModel}`);
}

describe('a model name', () => {
  it.each([
    ['qwen3:8b', ['ollama qwen3:8b', 'ollama-2 qwen3:8b'], 'qwen3:8b'],
    ['llama3.2', ['ollama llama3.2:latest'], 'llama3.2:latest'],
    ['meta-llama/Llama-3.1-8B', ['vllm meta-llama/Llama-3.1-8B'], 'meta-llama/Llama-3.1-8B'],
    ['ollama-2/qwen3:8b', ['ollama-2 qwen3:8b'], 'qwen3:8b'],
    ['vllm/some/lora', ['vllm some/lora'], 'other'],
    // What a backend lists goes before an address.
    ['vllm/odd', ['vllm vllm/odd'], 'vllm/odd'],
    // Ollama may have gained it since the last probe.
    ['just-pulled', ['ollama just-pulled', 'ollama-2 just-pulled'], 'other'],
  ])('%s leads to %j, counted as %s', (name, targets, label) => {
    const catalog = catalogOf();
    expect(targetsOf(catalog, name)).toEqual(targets);
    expect(catalog.resolve(name, ANONYMOUS).label).toBe(label);
  });

  it.each([
    ['that is drained', { isDrained: true }],
    ['that is down', { isUp: false }],
  ])('leads from its only backend, %s, also to one that has not told yet what it has', (_, state) => {
    const unknown = statusOf('new', 'vllm', undefined);
    const holder = { ...statusOf('holder', 'ollama', ['qwen3:8b']), ...state };
    const fleet = [holder, unknown, ...FLEET.slice(2)];
    expect(targetsOf(catalogOf([], fleet), 'qwen3:8b')).toEqual(['holder qwen3:8b', 'new qwen3:8b']);
    expect(targetsOf(catalogOf([], [...FLEET, unknown]), 'llama3.2')).toEqual(['ollama llama3.2:latest']);
  });

  it('that nobody can have is not found', () => {
    const fleet = FLEET.slice(2);
    expect(() => catalogOf([], fleet).resolve('nope', ANONYMOUS)).toThrow(
      expect.objectContaining({ reason: 'model_not_found', status: 404 }),
    );
  });

  it('is tried on a backend that has not told its models yet', () => {
    expect(targetsOf(catalogOf([], [statusOf('new', 'vllm', undefined)]), 'any')).toEqual(['new any']);
  });
});

describe('an alias', () => {
  it('goes before everything else, with its options', () => {
    const catalog = catalogOf([
      {
        name: 'qwen3:8b',
        targets: [{ backend: 'vllm', model: 'x' }],
        options: { num_ctx: 1 },
        requestOptions: [],
        completionTemplate: false,
      },
    ]);
    expect(targetsOf(catalog, 'qwen3:8b')).toEqual(['vllm x']);
    expect(catalog.resolve('qwen3:8b', ANONYMOUS).targets[0]?.options).toEqual({ num_ctx: 1 });
  });

  it('without a backend leads to all that have the model', () => {
    const catalog = catalogOf([
      {
        name: 'fast',
        targets: [{ model: 'qwen3:8b' }],
        options: {},
        requestOptions: [],
        completionTemplate: false,
      },
    ]);
    expect(targetsOf(catalog, 'fast')).toEqual(['ollama qwen3:8b', 'ollama-2 qwen3:8b']);
    expect(catalog.resolve('fast', ANONYMOUS).label).toBe('fast');
  });

  it('of a model that nobody lists asks those that may have it, or is not found', () => {
    const aliases = [aliasOf('fast', [{ model: 'just-pulled' }], 1)];
    expect(targetsOf(catalogOf(aliases), 'fast')).toEqual(['ollama just-pulled', 'ollama-2 just-pulled']);
    expect(() => catalogOf(aliases, FLEET.slice(2)).resolve('fast', ANONYMOUS)).toThrow(
      expect.objectContaining({ reason: 'model_not_found' }),
    );
  });

  it('of a backend that is away has nobody for now, and exists', () => {
    const catalog = catalogOf([aliasOf('fast', [{ backend: 'gone', model: 'm' }], 1)]);
    expect(targetsOf(catalog, 'fast')).toEqual([]);
  });

  it('that nobody can serve does not become the model of the same name', () => {
    const aliases = [aliasOf('vllm/odd', [{ model: 'nope' }], 1)];
    expect(() => catalogOf(aliases, FLEET.slice(2)).resolve('vllm/odd', ANONYMOUS)).toThrow(
      expect.objectContaining({ reason: 'model_not_found' }),
    );
  });
});

describe('what the operator fixed for a model', () => {
  const OWN = aliasOf('llama3.2', [{ model: 'llama3.2' }], 1);
  const HERE = aliasOf('here', [{ backend: 'ollama', model: 'qwen3:8b' }], 2);
  const ANYWHERE = aliasOf('anywhere', [{ model: 'qwen3:8b' }], 3);
  const fixed = (catalog: Catalog, name: string): unknown[] =>
    catalog.resolve(name, ANONYMOUS).targets.map(({ options }) => options.num_ctx);

  it.each([
    'llama3.2',
    'llama3.2:latest',
    'ollama/llama3.2',
    'ollama/llama3.2:latest',
    'LLaMA3.2',
    'ollama/LLAMA3.2:LATEST',
  ])('holds when it is called %s', (name) => {
    const { targets, type } = catalogOf([OWN]).resolve(name, ANONYMOUS);
    expect(targets).toMatchObject([
      {
        upstreamModel: 'llama3.2:latest',
        options: { num_ctx: 1 },
        requestOptions: ['num_gpu'],
        completionTemplate: true,
      },
    ]);
    expect(type).toBe('chat');
  });

  it('holds on a backend that has not told its models yet', () => {
    const fleet = [statusOf('new', 'ollama', undefined)];
    expect(fixed(catalogOf([OWN], fleet), 'llama3.2:latest')).toEqual([1]);
  });

  it('by an alias with targets holds for those targets under their own name', () => {
    expect(fixed(catalogOf([HERE]), 'qwen3:8b')).toEqual([2, undefined]);
    expect(fixed(catalogOf([HERE]), 'ollama-2/qwen3:8b')).toEqual([undefined]);
    expect(fixed(catalogOf([ANYWHERE]), 'QWEN3:8B')).toEqual([3, 3]);
  });

  it('is that of the nearest alias', () => {
    const own = aliasOf('qwen3:8b', [{ model: 'qwen3:8b' }], 4);
    expect(fixed(catalogOf([ANYWHERE, HERE]), 'ollama/qwen3:8b')).toEqual([2]);
    expect(fixed(catalogOf([ANYWHERE, HERE, own]), 'ollama/qwen3:8b')).toEqual([4]);
    expect(fixed(catalogOf([ANYWHERE, aliasOf('later', [{ model: 'qwen3:8b' }], 5)]), 'qwen3:8b')).toEqual([
      3, 3,
    ]);
  });

  it('does not hold for another model, or where case matters', () => {
    expect(fixed(catalogOf([OWN]), 'qwen3:8b')).toEqual([undefined, undefined]);
    const lower = aliasOf('meta-llama/llama-3.1-8b', [{ model: 'meta-llama/llama-3.1-8b' }], 6);
    expect(fixed(catalogOf([lower]), 'meta-llama/Llama-3.1-8B')).toEqual([undefined]);
  });
});

describe('the list of models', () => {
  it('holds every alias and model once', () => {
    const catalog = catalogOf([
      {
        name: 'default',
        targets: [{ model: 'qwen3:8b' }],
        options: {},
        requestOptions: [],
        completionTemplate: false,
      },
    ]);
    expect(catalog.list(ANONYMOUS).map(({ id }) => id)).toEqual([
      'default',
      'llama3.2:latest',
      'qwen3:8b',
      'meta-llama/Llama-3.1-8B',
      'vllm/odd',
    ]);
    expect(catalog.list(ANONYMOUS)[0]).toEqual({ id: 'default', created: 5, ownedBy: 'gateway' });
  });
});
