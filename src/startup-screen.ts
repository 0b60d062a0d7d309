/** What a person sees who starts the gateway on a terminal: what was found and what to type next. */

import type { Auth } from './config/keys.ts';
import type { KeySource } from './core/api-key.ts';
import type { Alias, BackendStatus, ListedModel } from './core/fleet.ts';

export interface StartupFacts {
  readonly version: string;
  /** Where clients on this machine reach it: `http://localhost:3000`, or https. */
  readonly origin: string;
  /** Where the operator's endpoints are, if not there. */
  readonly adminOrigin: string | undefined;
  /** Clients show a certificate of their own. */
  readonly needsCertificate: boolean;
  /** Nobody else than this machine can connect. */
  readonly isLocal: boolean;
  readonly isDemo: boolean;
  readonly auth: Auth;
  readonly backends: readonly BackendStatus[];
  readonly models: readonly ListedModel[];
  readonly aliases: readonly Alias[];
}

/** Where a program on this machine reaches an address that is listened on. */
export function originOf(scheme: 'http' | 'https', host: string, port: number): string {
  const isEverywhere = host === '0.0.0.0' || host === '::' || host === '127.0.0.1';
  const name = isEverywhere ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `${scheme}://${name}:${String(port)}`;
}

const SHOWN_MODELS = 8;

export function renderStartupScreen(facts: StartupFacts): string {
  const { version, origin, backends, models, auth } = facts;
  const model = chatModelOf(facts);
  const names = models.slice(0, SHOWN_MODELS).map(({ id }) => id);
  const more = models.length > SHOWN_MODELS ? `, and ${String(models.length - SHOWN_MODELS)} more` : '';
  return [
    '',
    `  node-ai-gateway ${version}`,
    '',
    ...(facts.isDemo ? DEMO_NOTE : []),
    ...backends.map((status, i) => `  ${i === 0 ? 'Backends ' : '         '}  ${describeBackend(status)}`),
    `  Models     ${names.length === 0 ? 'none yet' : names.join(', ') + more}`,
    `  Base URL   ${origin}/v1`,
    `  API key    ${describeKeys(facts)}`,
    ...(facts.adminOrigin === undefined ? [] : [`  Operator   ${facts.adminOrigin}/admin`]),
    '',
    ...(model === undefined ? withoutModel(backends) : ['  Try it:', '', curl(facts, keyToTry(auth), model)]),
    '',
  ].join('\n');
}

const DEMO_NOTE = [
  '  No model server was found on this machine, so the built-in demo backend answers.',
  '  ITS ANSWERS ARE SIMULATED: no model is running. For real ones start Ollama',
  '  (https://ollama.com), or set OLLAMA_BASE_URL, VLLM_BASE_URL or OPENAI_BASE_URL.',
  '',
];

function describeBackend({ backend, isUp, discovery }: BackendStatus): string {
  const count = discovery?.models.size ?? 0;
  const state = isUp ? `${String(count)} ${count === 1 ? 'model' : 'models'}` : 'DOWN: does not answer';
  return `${backend.name} (${backend.kind}) at ${backend.url}: ${state}`;
}

const ANY_KEY = 'sk-local';

/** A key is a secret and not for the screen: it says where to look for one. */
function describeKeys({ auth: { isOpen, keys, keyFile = '' }, isLocal }: StartupFacts): string {
  if (isOpen) {
    const who = isLocal ? 'only this machine' : 'ANYBODY WHO REACHES THIS ADDRESS';
    return `${ANY_KEY} (any text will do: no key is set, and ${who} can connect)`;
  }
  if (keys.length === 0) return `none yet: node-ai-gateway keys create --name NAME --file ${keyFile}`;
  const places: Readonly<Record<KeySource, string>> = {
    'auth.key': 'the value of AUTH_KEY (auth.key)',
    'auth.keys': 'one of API_KEYS (auth.keys)',
    'auth.clients': 'one of auth.clients',
    'auth.keyFile': `one of ${keyFile}`,
    'auth.adminKey': '',
  };
  return [...new Set(keys.map(({ source }) => places[source]))].join(', or ');
}

/** For a shell, which knows the variable that the gateway was given. */
function keyToTry({ isOpen, keys }: Auth): string {
  if (isOpen) return ANY_KEY;
  return keys.some(({ source }) => source === 'auth.key') ? '$AUTH_KEY' : '$API_KEY';
}

/** Where servers do not say what a model can do, its name does. */
const VECTOR_NAMES = /embed|minilm|bge-|rerank/i;

/** A model to try; undefined when none is known to chat. */
function chatModelOf({ models, backends, aliases }: StartupFacts): string | undefined {
  return models.find(({ id }) => {
    const type = aliases.find(({ name }) => name === id)?.type;
    if (type) return type === 'chat';
    const told = backends.map(({ discovery }) => discovery?.models.get(id)?.capabilities).find(Boolean);
    return told ? told.includes('completion') : !VECTOR_NAMES.test(id);
  })?.id;
}

/** What to do before there is anything to try. The gateway sees by itself when it was done. */
function withoutModel(backends: readonly BackendStatus[]): string[] {
  const up = backends.filter(({ isUp }) => isUp);
  if (up.length === 0)
    return ['  No backend answers yet: start it, or mend its address. It is looked for all the time.'];
  return up.some(({ backend }) => backend.kind === 'ollama')
    ? [
        '  There is no model to chat with yet. Get one, and it can be used at once:',
        '',
        '  ollama pull llama3.2',
      ]
    : ['  There is no model to chat with yet: start one on a backend, and it can be used at once.'];
}

/** Streams when pasted into any shell: the JSON holds no single quote. */
function curl({ origin, needsCertificate }: StartupFacts, key: string, model: string): string {
  const body = JSON.stringify({
    model,
    stream: true,
    messages: [{ role: 'user', content: 'Say hello' }],
  }).replace(/'/g, '\\u0027');
  return [
    `  curl -N ${origin}/v1/chat/completions`,
    ...(needsCertificate ? ['--cert client.pem --key client.key'] : []),
    `-H "Authorization: Bearer ${key}"`,
    '-H "Content-Type: application/json"',
    `-d '${body}'`,
  ].join(' ');
}
