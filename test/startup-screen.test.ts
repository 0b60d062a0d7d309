/** What a person sees who has started the gateway: true for whatever was found. */

import { describe, expect, it } from '@jest/globals';
import type { Alias, BackendStatus, ListedModel } from '../src/core/fleet.ts';
import { originOf, renderStartupScreen, type StartupFacts } from '../src/startup-screen.ts';
import { backendOf } from './support/fleet.ts';

interface Given {
  readonly models?: Readonly<Record<string, readonly string[] | undefined>>;
  readonly kind?: 'ollama' | 'vllm';
  readonly aliases?: readonly Pick<Alias, 'name' | 'type'>[];
  readonly facts?: Partial<StartupFacts>;
}

function screenOf({ models = {}, kind = 'ollama', aliases = [], facts = {} }: Given): string {
  const entries = Object.entries(models).map(
    ([name, capabilities]) =>
      [name, { name, created: 0, ownedBy: 'x', digest: '', ...(capabilities && { capabilities }) }] as const,
  );
  const status: BackendStatus = {
    backend: backendOf('here', { kind }),
    isDrained: false,
    isUp: true,
    circuit: 'closed',
    inFlight: 0,
    queued: 0,
    discovery: { models: new Map(entries), version: '' },
  };
  const names = [...aliases.map(({ name }) => name), ...Object.keys(models)];
  return renderStartupScreen({
    version: '1.0.0',
    origin: 'http://localhost:3000',
    adminOrigin: undefined,
    needsCertificate: false,
    isLocal: true,
    isDemo: false,
    auth: { isOpen: true, keys: [], adminKey: undefined, keyFile: undefined, hashSecret: undefined },
    backends: [status],
    models: names.map((id): ListedModel => ({ id, created: 0, ownedBy: 'x' })),
    aliases: aliases as readonly Alias[],
    ...facts,
  });
}

const CHAT = ['completion', 'tools'];
const VECTORS = ['embedding'];

describe('the command to try', () => {
  it.each<[string, Given, string]>([
    ['what a server says of it', { models: { 'odd-embed-name': CHAT } }, 'odd-embed-name'],
    ['not what makes vectors only', { models: { plain: VECTORS, talker: CHAT } }, 'talker'],
    ['its name, where servers say nothing', { models: { 'bge-m3': undefined, m: undefined } }, 'm'],
    [
      'the type of an alias',
      { aliases: [{ name: 'vec', type: 'embedding' }, { name: 'fast' }], models: { x: VECTORS } },
      'fast',
    ],
  ])('takes a model that chats, by %s', (_, given, model) => {
    expect(screenOf(given)).toContain(`"model":"${model}"`);
  });

  it.each<[string, Given, RegExp]>([
    ['on Ollama', { models: {} }, /^ {2}ollama pull \S+$/m],
    ['on Ollama that has others', { models: { v: VECTORS } }, /^ {2}ollama pull \S+$/m],
    ['elsewhere', { models: {}, kind: 'vllm' }, /no model/],
  ])('is how to get a model, when there is none to chat with: %s', (_, given, hint) => {
    const screen = screenOf(given);
    expect(screen).toMatch(hint);
    expect(screen).not.toContain('curl');
  });
});

it.each([
  ['0.0.0.0', 'localhost'],
  ['::', 'localhost'],
  ['127.0.0.1', 'localhost'],
  ['127.0.0.2', '127.0.0.2'],
  ['::1', '[::1]'],
  ['gpu.lan', 'gpu.lan'],
])('what listens on %s is reached at %s', (host, name) => {
  expect(originOf('https', host, 8443)).toBe(`https://${name}:8443`);
});

it('does not say that it is closed to others when it is not', () => {
  const open = screenOf({ models: { m: CHAT }, facts: { isLocal: false } });
  expect(open).not.toContain('only this machine');
  expect(screenOf({ models: { m: CHAT } })).toContain('only this machine');
});
