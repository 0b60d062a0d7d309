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
