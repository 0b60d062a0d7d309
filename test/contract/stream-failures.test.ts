/** Streams that fail after they began: one error event of the contract ends them, and never [DONE]. */

import { describe, expect, it } from '@jest/globals';
import { ollamaToken, openaiChunk, sse, type Script } from '../support/scripted-backend.ts';
import { createSetup, KINDS_OF_STREAM } from '../support/setup.ts';
import { openStream } from '../support/sse.ts';
import { expectStream } from './answers.ts';
import { component, expectToMatch } from './schemas.ts';
import { vllmChunk } from './sayings.ts';
import { expectOrder, readEvents } from './stream.ts';

const setup = createSetup();
const CHAT = 'POST /v1/chat/completions';

/** How a backend breaks off after a token, and the code that tells of it. */
interface Break {
  readonly script: Script;
  readonly code: string;
}

const OLLAMA_BREAKS: Readonly<Record<string, Break>> = {
  'an error record': {
    script: after(ollamaToken('Hel'), ({ end }) => end('{"error":"llama runner process has terminated"}\n')),
    code: 'upstream_error',
  },
  'a record that is no JSON': {
    script: after(ollamaToken('Hel'), ({ end }) => end('<html>\n')),
    code: 'upstream_invalid_response',
  },
  'a clean end without a last record': {
    script: after(ollamaToken('Hel'), ({ end }) => end()),
    code: 'upstream_incomplete_response',
  },
  'a reset': {
    script: after(ollamaToken('Hel'), ({ reset }) => reset()),
    code: 'upstream_connection_error',
  },
};

const VLLM_BREAKS: Readonly<Record<string, Break>> = {
  'an error event with a number as its code': {
    script: after(vllmChunk({ role: 'assistant', content: 'Hel' }), ({ end }) =>
      end(
        sse({ error: { message: 'EngineCore died', type: 'InternalServerError', param: null, code: 500 } }) +
          sse('[DONE]'),
      ),
    ),
    code: 'upstream_error',
  },
  'an error event in the older form': {
    script: after(vllmChunk({ content: 'Hel' }), ({ end }) =>
      end(sse({ object: 'error', message: 'EngineCore died', type: 'InternalServerError', code: 500 })),
    ),
    code: 'upstream_error',
  },
  'an event that is no JSON': {
    script: after(openaiChunk({ content: 'Hel' }), ({ end }) => end('data: <html>\n\n')),
    code: 'upstream_invalid_response',
  },
  '[DONE] without a finish reason': {
    script: after(vllmChunk({ content: 'Hel' }), ({ end }) => end(sse('[DONE]'))),
    code: 'upstream_incomplete_response',
  },
  'a finish reason of abort': {
    script: after(vllmChunk({ content: 'Hel' }), ({ end }) =>
      end(vllmChunk({}, { finish_reason: 'abort' }) + sse('[DONE]')),
    ),
    code: 'upstream_incomplete_response',
  },
  'a reset': {
    script: after(vllmChunk({ content: 'Hel' }), ({ reset }) => reset()),
    code: 'upstream_connection_error',
  },
};

/** Says the token, waits until the client has it, and breaks. */
function after(token: string, breakOff: Script): Script {
  return async (call) => {
    await call.write(token);
    await hasArrived;
    await breakOff(call);
  };
}

let arrive = (): void => undefined;
let hasArrived: Promise<void>;

const BREAKS = KINDS_OF_STREAM.flatMap(([kind, variable]) =>
  Object.entries(variable === 'OLLAMA_BASE_URL' ? OLLAMA_BREAKS : VLLM_BREAKS).map(
    ([name, each]) => [kind, name, variable, each] as const,
  ),
);

describe('a stream that has begun', () => {
  it.each(BREAKS)(
    'of %s ends with an error event after %s',
    async (_kind, _name, variable, { script, code }) => {
      hasArrived = new Promise((resolve) => (arrive = resolve));
      const backend = await setup.backend(script);
      const gateway = await setup.gateway({ env: { [variable]: backend.url } });
      const response = await gateway.chat({ stream: true });
      expect(response.status).toBe(200);
      const open = openStream(response);
      await open.until('Hel');
      arrive();
      const stream = readEvents(await open.rest());
      for (const event of stream.events) expectToMatch(component('ChatCompletionStreamEvent'), event);
      expectOrder(stream, false);
      expect(stream.error).toMatchObject({ type: 'server_error', param: null, code });
    },
  );

  it.each(KINDS_OF_STREAM)('of %s ends with an error event after a silence', async (_kind, variable) => {
    const token = variable === 'OLLAMA_BASE_URL' ? ollamaToken('Hel') : vllmChunk({ content: 'Hel' });
    const backend = await setup.backend(({ write }) => write(token));
    const env = { [variable]: backend.url, IDLE_TIMEOUT_MS: '5000' };
    const gateway = await setup.gateway({ env, isClockStopped: true });
    const response = await gateway.chat({ stream: true });
    const copy = response.clone();
    await openStream(response).until('Hel');
    gateway.advance(1);
    gateway.advance(5000);
    const stream = await expectStream(CHAT, copy);
    expectOrder(stream, false);
    expect(stream.error).toMatchObject({ code: 'upstream_idle_timeout' });
  });
});
