/** Nothing that a client sends is dropped in silence: every place of the schemas, and what nobody knows in each. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import {
  ollamaDone,
  startScriptedBackend,
  type ScriptedBackend,
  type ScriptedCall,
} from '../support/scripted-backend.ts';
import {
  CHAT_CASES,
  COMPLETION_CASES,
  EMBEDDING_CASES,
  REFUSED,
  usualOf,
  withCompanions,
  WITHOUT_DIFFERENCE,
  type Cases,
} from './effect-cases.ts';
import { placesOf } from './places.ts';
import { component } from './schemas.ts';

type Endpoint = readonly [path: string, schema: string, cases: Cases];

const CHAT: Endpoint = ['/v1/chat/completions', 'ChatCompletionRequest', CHAT_CASES];
const ENDPOINTS: readonly Endpoint[] = [
  CHAT,
  ['/v1/completions', 'CompletionRequest', COMPLETION_CASES],
  ['/v1/embeddings', 'EmbeddingRequest', EMBEDDING_CASES],
];

/** Told twice by the model, so that keeping the first call only can be seen. */
const TWO_CALLS = ollamaDone({
  message: {
    role: 'assistant',
    content: 'x',
    tool_calls: [1, 2].map(() => ({ function: { name: 'f', arguments: {} } })),
  },
  logprobs: [{ token: 'x', logprob: -1, top_logprobs: [{ token: 'x', logprob: -1 }] }],
});

/** Ollama's answer to whatever was asked. */
function answerOf({ path, body }: ScriptedCall): string {
  if (path === '/api/embed') return JSON.stringify({ embeddings: [[0.5, 1]], prompt_eval_count: 1 });
  if (path === '/api/generate') {
    return `${JSON.stringify({ response: 'x', done: true, done_reason: 'stop' })}\n`;
  }
  // A model that was made to print a call prints one.
  const isForced = 'format' in body && body.tools === undefined;
  return isForced
    ? ollamaDone({ message: { role: 'assistant', content: '{"name":"f","arguments":{}}' } })
    : TWO_CALLS;
}

interface Outcome {
  readonly status: number;
  /** Places that are named as without effect, without their numbers. */
  readonly ignored: readonly string[];
  /** Of an error. */
  readonly param: string;
  /** What the backend was asked, and the client told; without what differs from call to call. */
  readonly asked: string;
  readonly told: string;
}

const withoutNumbers = (param: string): string => param.replace(/\.?\[\d+\]/g, '[]');

let backend: ScriptedBackend;
let gateway: TestGateway;
beforeAll(async () => {
  const capabilities = ['completion', 'embedding', 'insert', 'tools', 'vision', 'audio', 'thinking'];
  backend = await startScriptedBackend((call) => call.end(answerOf(call)), { capabilities });
  gateway = await startGateway({ env: { OLLAMA_BASE_URL: backend.url } });
});
afterAll(async () => {
  await gateway.close();
  await backend.close();
});

async function ask(path: string, body: JsonObject): Promise<Outcome> {
  const before = backend.calls.length;
  const response = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const told = (await response.text()).replace(/"(id|created)":("[^"]*"|\d+)/g, '');
  const ignored = response.headers.get('x-gateway-ignored-params') ?? '';
  return {
    status: response.status,
    ignored: ignored === '' ? [] : ignored.split(', ').map(withoutNumbers),
    param: /"param":"([^"]*)"/.exec(told)?.[1] ?? '',
    asked: backend.calls
      .slice(before)
      .map(({ bodyText }) => bodyText)
      .join('\n'),
    told,
  };
}

describe.each(ENDPOINTS)('%s on Ollama', (path, schema, cases) => {
  const places = placesOf(component(schema), usualOf(cases));
  const values = places.filter(
    ({ isValue, id }) => isValue && !(id in WITHOUT_DIFFERENCE) && !(id in REFUSED),
  );

  it('has a case for each place of its schema, and no other', () => {
    expect(Object.keys(cases).sort()).toEqual(values.map(({ id }) => id).sort());
  });

  it.each(values.map((place) => [place.id, place] as const))(
    '%s makes a difference, is refused or is named',
    async (id, place) => {
      const [usual, other] = cases[id] ?? [];
      const before = await ask(path, withCompanions(id, place.body(usual)));
      expect(before).toMatchObject({ status: 200, ignored: [] });
      const after = await ask(path, withCompanions(id, place.body(other)));
      if (after.status === 400) {
        const param = withoutNumbers(after.param);
        expect({ id, isNamed: param !== '' && place.path.startsWith(param) }).toEqual({ id, isNamed: true });
        return;
      }
      const isNamed = after.ignored.includes(place.path);
      const hasEffect = after.asked !== before.asked || after.told !== before.told;
      expect({ status: after.status, isNamed, ignored: after.ignored }).toEqual({
        status: 200,
        isNamed: !hasEffect,
        ignored: isNamed ? [place.path] : [],
      });
    },
  );

  const objects = places.filter(({ isValue }) => !isValue);
  it.each(objects.map((place) => [place.id, place] as const))(
    'what nobody knows is named in %s',
    async (id, place) => {
      const { status, ignored, param } = await ask(path, withCompanions(id, place.body({ flux: 1 })));
      // A part that is refused as a whole is named as a whole.
      if (status === 400) expect(place.path.startsWith(withoutNumbers(param))).toBe(true);
      else expect({ status, ignored }).toEqual({ status: 200, ignored: [place.path.replace(/\*$/, 'flux')] });
    },
  );
});

describe('on Ollama', () => {
  const [path, schema] = CHAT;
  const places = new Map(placesOf(component(schema), usualOf(CHAT_CASES)).map((place) => [place.id, place]));

  it.each(Object.entries(WITHOUT_DIFFERENCE))('%s makes no difference: %s', async (id) => {
    for (const value of id.endsWith('strict') ? [true, false] : ['a', 'b']) {
      const { status, ignored, asked } = await ask(path, places.get(id)?.body(value) ?? {});
      expect({ status, ignored }).toEqual({ status: 200, ignored: [] });
      expect(asked).toContain('"format":{');
    }
  });

  it.each(Object.entries(REFUSED))('%s is refused: %s', async (id) => {
    const { status, param } = await ask(path, places.get(id)?.body({}) ?? {});
    expect({ status, param: withoutNumbers(param) }).toEqual({ status: 400, param: 'messages[].content[]' });
  });
});
