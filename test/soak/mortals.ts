/** A fleet of backends of which one at a time dies in some way, and comes back. */

import { sleep } from '../support/load.ts';
import { failing, saying, startScriptedBackend, type Script } from '../support/scripted-backend.ts';
import type { Speech } from '../support/speech.ts';

export interface Mortals {
  /** The backends of a configuration. */
  readonly file: string;
  /** How often each way to die was taken. */
  readonly deaths: ReadonlyMap<string, number>;
  /** From now on they die, one after the other, until all are to live on; `random` as Math.random. */
  dieByTurns(options: { readonly wellMs: number; readonly illMs: number; random(): number }): void;
  /** Resolves when all are well. */
  liveOn(): Promise<void>;
  close(): Promise<void>;
}

const TOKEN_MS = 15;

/** Says these words, each after a while, so that some answers are always under way. */
function slowlySaying({ kind, token, done }: Speech, words: readonly string[]): Script {
  return async (call) => {
    if (kind === 'vllm' && call.body.stream !== true) {
      await sleep(words.length * TOKEN_MS);
      await saying(...words)(call);
      return;
    }
    for (const word of words) {
      if (call.res.destroyed) return;
      await call.write(token(word));
      await sleep(TOKEN_MS);
    }
    call.end(done());
  };
}

/** What may come over one that stays reachable. */
const ILLS: readonly (readonly [string, (speech: Speech) => Script])[] = [
  [
    'resets',
    () =>
      ({ reset }) =>
        reset(),
  ],
  [
    'closes',
    () =>
      ({ socket }) =>
        void socket.end(),
  ],
  ['answers 500', () => failing(500, { error: { message: 'out of memory' } })],
  [
    'answers 503 with Retry-After',
    () => failing(503, { error: { message: 'busy' } }, { 'retry-after': '1' }),
  ],
  ['is silent', () => () => undefined],
  [
    'breaks off',
    ({ beginning }) =>
      async (call) => {
        await call.write(beginning(call, 't0 '));
        call.reset();
      },
  ],
];

export async function startMortals(speeches: readonly Speech[], words: readonly string[]): Promise<Mortals> {
  const well = speeches.map((speech) => slowlySaying(speech, words));
  const backends = await Promise.all(well.map((script) => startScriptedBackend(script)));
  const deaths = new Map<string, number>();
  let isOver = false;
  let turns: Promise<void> = Promise.resolve();

  async function die(index: number, way: number, illMs: number): Promise<void> {
    const [backend, script, speech] = [backends[index], well[index], speeches[index]];
    if (!backend || !script || !speech) throw new Error(`there is no backend ${String(index)}`);
    const [name, ill] = ILLS[way] ?? ['is killed', undefined];
    deaths.set(name, (deaths.get(name) ?? 0) + 1);
    if (ill) {
      backend.script(ill(speech));
      await sleep(illMs);
      backend.script(script);
    } else {
      await backend.close();
      await sleep(illMs);
      backends[index] = await startScriptedBackend(script, { port: backend.port });
    }
  }

  return {
    deaths,
    file: `backends:\n${speeches
      .map(({ kind }, i) => `  - { name: b${String(i)}, kind: ${kind}, url: "${String(backends[i]?.url)}" }`)
      .join('\n')}`,
    dieByTurns({ wellMs, illMs, random }) {
      turns = (async () => {
        for (let turn = 0; !isOver; turn++) {
          await sleep(wellMs);
          await die(Math.floor(random() * backends.length), turn % (ILLS.length + 1), illMs);
        }
      })();
    },
    liveOn() {
      isOver = true;
      return turns;
    },
    async close() {
      for (const { close } of backends) await close();
    },
  };
}
