/** Many clients leave, at random moments: nothing of their requests is left behind. */

import { expect, it } from '@jest/globals';
import { expectWithin } from '../../support/figures.ts';
import { quantile, randomOf, sleep } from '../../support/load.ts';
import { openSocket, printChat } from '../../support/bare-socket.ts';
import type { Script, ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { SPEECHES, type Speech } from '../../support/speech.ts';

const setup = createSetup();
const CLIENTS = 500;
const AT_ONCE = 50;
/** An answer takes longer than any client stays. */
const TOKEN_MS = 5;
const LONGEST_STAY_MS = 150;
const SEED = 20261125;

/** Headers after a while, then a token now and then, for ever. */
function slowly({ token }: Speech): Script {
  return async ({ write, res }) => {
    await sleep(3 * TOKEN_MS);
    res.flushHeaders();
    for (let i = 0; !res.destroyed; i++) {
      await sleep(TOKEN_MS);
      await write(token(`t${String(i)}`));
    }
  };
}

interface Watched {
  /** When the backend saw that the request of this client was over. */
  readonly ends: ReadonlyMap<number, number>;
  /** Resolves when the backend has the request of this client. */
  arrival(client: number): Promise<void>;
}

function watchCalls(backend: ScriptedBackend, script: Script): Watched {
  const ends = new Map<number, number>();
  const waiting = new Map<number, () => void>();
  backend.script((call) => {
    const [message] = call.body.messages as { content: string }[];
    const client = Number(message?.content);
    void call.closed.then(() => ends.set(client, performance.now()));
    waiting.get(client)?.();
    return script(call);
  });
  return { ends, arrival: (client) => new Promise((resolve) => void waiting.set(client, resolve)) };
}

const socketsNow = (): number =>
  process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;

it.each(SPEECHES)('500 clients of %s that leave leave nothing behind', async (_, speech) => {
  const backend = await setup.backend(() => undefined);
  const gateway = await setup.gateway({ env: { [speech.variable]: backend.url, MAX_CONNECTIONS: '0' } });
  const { ends, arrival } = watchCalls(backend, slowly(speech));
  const random = randomOf(SEED);
  const before = socketsNow() - 2 * backend.openSockets();
  const left = new Map<number, number>();

  async function visit(client: number): Promise<void> {
    // Drawn before anything is awaited: the same for the same seed.
    const [streams, sends, cutsAt] = [random(), random(), random()];
    const [waits, stays, resets] = [random(), random(), random()];
    const socket = openSocket(gateway.port);
    const text = printChat({
      stream: streams < 0.5,
      messages: [{ role: 'user', content: String(client) }],
    });
    const arrived = arrival(client);
    // One in ten leaves while it sends its request.
    socket.write(sends < 0.1 ? text.slice(0, Math.floor(cutsAt * text.length)) : text);
    // Half of the others are sure to leave while the backend works for them, however slow all is.
    if (sends >= 0.1 && waits < 0.5) await arrived;
    await sleep(stays * LONGEST_STAY_MS);
    left.set(client, performance.now());
    if (resets < 0.5) socket.destroy();
    else socket.resetAndDestroy();
  }

  for (let client = 0; client < CLIENTS; client += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (__, i) => visit(client + i)));
  }
  await eventually(() => gateway.active() === 0 && gateway.deps.pool.inFlight() === 0);
  await eventually(() => backend.calls.every(({ res }) => res.closed));
  expect(backend.calls.length).toBeGreaterThan(CLIENTS / 5);
  const delays = [...ends].map(([client, endMs]) => endMs - (left.get(client) ?? 0));
  expectWithin('upstream cancelled after', quantile(delays, 1), 1000);
  // Both ends of the kept connections to the backend are in this process.
  await eventually(() => socketsNow() - 2 * backend.openSockets() <= before);
  expect(await gateway.metric('ai_gateway_backend_in_flight', { backend: speech.kind })).toBe(0);
});
