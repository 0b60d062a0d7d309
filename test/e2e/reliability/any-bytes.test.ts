/** Whatever bytes a backend sends, HTTP or not: the client gets a well-formed answer that ends once. */

import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ByteText } from '../../../src/core/stream.ts';
import { readEvents } from '../../contract/stream.ts';
import { expectError } from '../../support/errors.ts';
import { mangledAnswer, mangledResponse } from '../../support/mangled.ts';
import { saying, type Script } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';
import { OLLAMA, VLLM, type Speech } from '../../support/speech.ts';

const setup = createSetup();
const RUNS = 150;

function sayingBytes(pieces: readonly ByteText[], isReset: boolean): Script {
  return async ({ res, reset }) => {
    for (const piece of pieces)
      await new Promise((resolve) => res.write(Buffer.from(piece, 'latin1'), resolve));
    if (isReset) reset();
    else res.end();
  };
}

/** Without a server's own framing. */
function sayingRaw(pieces: readonly ByteText[], isReset: boolean): Script {
  return async ({ socket, reset }) => {
    for (const piece of pieces) await new Promise((resolve) => socket.write(piece, 'latin1', resolve));
    if (isReset) reset();
    else socket.end();
  };
}

async function expectWellFormed(response: Response): Promise<void> {
  if (response.status !== 200) {
    const { status, code } = await expectError(response);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(code).not.toBeNull(); // a fault of the gateway has none
    return;
  }
  const bytes = await response.arrayBuffer();
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  const { events, error, isDone } = readEvents(text);
  const ends = events.filter((event) => event === '[DONE]' || 'error' in (event as object));
  expect(ends).toHaveLength(1);
  expect(events.at(-1)).toEqual(isDone ? '[DONE]' : { error });
}

const WAYS: readonly (readonly [string, Speech, fc.Arbitrary<ByteText[]>, typeof sayingRaw])[] = [
  ['bodies of Ollama', OLLAMA, mangledAnswer('ollama'), sayingBytes],
  ['bodies of vLLM', VLLM, mangledAnswer('openai'), sayingBytes],
  ['responses of Ollama', OLLAMA, mangledResponse('ollama'), sayingRaw],
  ['responses of vLLM', VLLM, mangledResponse('openai'), sayingRaw],
];

it.each(WAYS)('%s', async (_, speech, bytes, script) => {
  const backend = await setup.backend(() => undefined);
  const gateway = await setup.gateway({
    // Nothing but the bytes is to decide what the client gets.
    env: { [speech.variable]: backend.url, CIRCUIT_FAILURES: '1000000', CIRCUIT_MIN_REQUESTS: '1000000' },
  });
  const reuse = saying('fine');
  await fc.assert(
    fc.asyncProperty(bytes, fc.boolean(), async (pieces, isReset) => {
      backend.script(script(pieces, isReset));
      await expectWellFormed(await gateway.chat({ stream: true }));
      // And nothing of it is left for the next one, who may have the same connection.
      backend.script(reuse);
      expect(await (await gateway.chat()).json()).toMatchObject({
        choices: [{ message: { content: 'fine' } }],
      });
    }),
    { numRuns: RUNS },
  );
  expect(gateway.deps.pool.inFlight()).toBe(0);
});
