/** A gateway with a fleet and traffic of every sort: answers, failures, waiting, limits, clients that leave. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import {
  failing,
  ollamaDone,
  ollamaToken,
  openaiChunk,
  saying,
  sse,
  startScriptedBackend,
  type Script,
  type ScriptedBackend,
  type ScriptedCall,
} from '../../support/scripted-backend.ts';
import { eventually } from '../../support/setup.ts';
import { openStream } from '../../support/sse.ts';

export interface Traffic {
  /** `host:port` */
  readonly target: string;
  /** Some of everything. All of it has ended when it resolves. */
  wave(): Promise<void>;
  /** Two streams go on and one request waits, until all is closed; one backend is drained. */
  hold(): Promise<void>;
  close(): Promise<void>;
}

const CHAT_KEY = 'sk-0123456789abcdef-chat';
const LIMITED_KEY = 'sk-0123456789abcdef-limited';

const LOAD = `vllm:num_requests_running{engine="0",model_name="v"} 2.0
vllm:num_requests_waiting{engine="0",model_name="v"} 7.0
vllm:kv_cache_usage_perc{engine="0",model_name="v"} 0.25
`;

const unknown = failing(404, { error: 'model not found' });

/** m answers, e begins to, and s never says a word. */
const byModel: Script = async (call) => {
  if (call.body.model === 'm') await saying('a', 'b', 'c')(call);
  else if (call.body.model === 'e') await call.write(ollamaToken('a'));
  else if (call.body.model !== 's') await unknown(call);
};

/** With tokens of every type. */
const thinking: Script = async (call) => {
  call.res.setHeader('content-type', 'text/event-stream');
  for (const content of ['a', 'b']) await call.write(openaiChunk({ content }));
  await call.write(openaiChunk({}, 'stop'));
  const usage = {
    prompt_tokens: 8,
    completion_tokens: 4,
    total_tokens: 12,
    prompt_tokens_details: { cached_tokens: 6 },
    completion_tokens_details: { reasoning_tokens: 2 },
  };
  call.end(sse({ id: 'x', object: 'chat.completion.chunk', choices: [], usage }) + sse('[DONE]'));
};

const breaking: Script = async (call) => {
  if (call.path !== '/v1/chat/completions') {
    await failing(500, { error: 'broken' })(call);
    return;
  }
  call.res.setHeader('content-type', 'text/event-stream');
  await call.write(openaiChunk({ content: 'a' }));
  call.reset();
};

export async function startTraffic(): Promise<Traffic> {
  const backends: ScriptedBackend[] = [];
  const start = async (...given: Parameters<typeof startScriptedBackend>): Promise<ScriptedBackend> => {
    const backend = await startScriptedBackend(...given);
    backends.push(backend);
    return backend;
  };
  const steady = await start(byModel, { models: ['m', 's', 'e'], resident: ['m'] });
  const flaky = await start(failing(500, { error: 'out of memory' }));
  const vllm = await start(thinking, { models: ['v'], metricsPage: LOAD });
  const broken = await start(breaking, { models: ['b'] });
  /** Answers n when it is told to. */
  const narrow = await start((call) => (call.body.model === 'n' ? undefined : unknown(call)), {
    models: ['n'],
  });
  const gone = await startScriptedBackend(() => undefined);
  await gone.close();

  const gateway = await startGateway({
    file: JSON.stringify({
      auth: {
        clients: [
          { name: 'chat', key: CHAT_KEY, limits: { tokensPerDay: 1e6, tokensPerMonth: 1e7 } },
          { name: 'limited', key: LIMITED_KEY, limits: { requestsPerMinute: 1 } },
        ],
      },
      // Nobody listens there: limits are counted by the gateway alone.
      redis: { url: `redis://127.0.0.1:${String(gone.port)}` },
      // Failures are to go on.
      circuit: { failures: 1000, minRequests: 1000 },
      backends: [
        { name: 'steady', kind: 'ollama', url: steady.url },
        // Is asked first as long as it may.
        { name: 'flaky', kind: 'ollama', url: flaky.url, weight: 1000 },
        { name: 'vllm', kind: 'vllm', url: vllm.url },
        { name: 'broken', kind: 'vllm', url: broken.url },
        { name: 'narrow', kind: 'ollama', url: narrow.url, maxConcurrency: 1, queue: 4 },
        { name: 'gone', kind: 'openai', url: gone.url },
      ],
    }),
  });
  const { ask, leave } = createClients(gateway);
  const queued = (count: number): Promise<void> =>
    eventually(() => gateway.deps.status().some((each) => each.queued === count));

  async function waitInLine(): Promise<void> {
    const calls = (): readonly ScriptedCall[] => narrow.calls.filter(({ body }) => body.model === 'n');
    const before = calls().length;
    const first = ask('n');
    await eventually(() => calls().length === before + 1);
    const second = ask('n');
    await queued(1);
    const gives = leave('n');
    await queued(2);
    await gives();
    await queued(1);
    calls()
      .at(-1)
      ?.end(ollamaToken('a') + ollamaDone());
    await first;
    await eventually(() => calls().length === before + 2);
    calls()
      .at(-1)
      ?.end(ollamaToken('a') + ollamaDone());
    await second;
  }

  async function leaveEarly(): Promise<void> {
    const before = steady.calls.length;
    const silent = leave('s');
    await eventually(() => steady.calls.length === before + 1);
    await silent();
    await leave('e', 'content":"a"')();
    await eventually(() => gateway.active() === 0);
  }

  return {
    target: `127.0.0.1:${String(gateway.port)}`,
    async wave() {
      for (const model of ['m', 'v', 'b', 'nobody-has-it']) await ask(model);
      for (let i = 0; i < 2; i++) await ask('m', { key: LIMITED_KEY });
      await ask('b', { path: '/v1/files' });
      await waitInLine();
      await leaveEarly();
      collectGarbage();
    },
    async hold() {
      gateway.deps.pool.drain('vllm', true);
      void ask('e');
      void ask('n');
      await eventually(() => gateway.active() === 2);
      void ask('n');
      await queued(1);
    },
    async close() {
      await gateway.close();
      for (const backend of backends) await backend.close();
    },
  };
}

/** Which is measured too. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

interface Clients {
  /** Reads the answer to its end, whatever it is. */
  ask(model: string, options?: { readonly key?: string; readonly path?: string }): Promise<void>;
  /** Asks, reads up to this text, if any, and leaves when it is told to. */
  leave(model: string, text?: string): () => Promise<void>;
}

function createClients({ url }: TestGateway): Clients {
  const send = (
    model: string,
    { key = CHAT_KEY, path = '/v1/chat/completions' },
    signal?: AbortSignal,
  ): Promise<Response> =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], stream: true }),
      ...(signal && { signal }),
    });
  return {
    async ask(model, options = {}) {
      // A stream that breaks, or that ends with the test, is what was asked for.
      await send(model, options).then(
        async (response) => response.text(),
        () => undefined,
      );
    },
    leave(model, text) {
      const controller = new AbortController();
      const seen = send(model, {}, controller.signal).then(
        async (response) => (text === undefined ? '' : openStream(response).until(text)),
        () => '',
      );
      return async () => {
        if (text !== undefined) await seen;
        controller.abort();
        await seen;
      };
    },
  };
}
