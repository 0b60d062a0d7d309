/** Minutes of everything at once, in front of backends that die and come back: no request is lost, nothing stays. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { tellFigure } from '../support/figures.ts';
import { atPace, randomOf } from '../support/load.ts';
import { buildProgram } from '../support/program.ts';
import { createPrograms, type RunningProgram } from '../support/programs.ts';
import { OLLAMA, VLLM } from '../support/speech.ts';
import { readStream } from '../support/sse.ts';
import { sumOf, tellingEnv, watchLevel } from './level.ts';
import { startMortals, type Mortals } from './mortals.ts';
import { sized } from './size.ts';

const SECONDS = sized(240);
const WARM_UP_SECONDS = sized(20);
const PER_SECOND = 40;
const RELOAD_MS = 20_000;
const SEED = 20261125;
const WORDS = Array.from({ length: 10 }, (_, i) => `t${String(i)} `);
const WHOLE = WORDS.join('');
/** A silent backend is given up soon, and looked for as soon again. */
const TIMES = {
  FIRST_TOKEN_TIMEOUT_MS: '1500',
  IDLE_TIMEOUT_MS: '1500',
  PROBE_INTERVAL_MS: '1000',
  CIRCUIT_OPEN_MS: '1000',
};

jest.setTimeout((SECONDS + WARM_UP_SECONDS + 120) * 1000);

const start = createPrograms();
const fleets: Mortals[] = [];
beforeAll(buildProgram, 60_000);
afterEach(async () => {
  for (const { liveOn, close } of fleets.splice(0)) {
    await liveOn();
    await close();
  }
});

async function startFleet(env: Readonly<Record<string, string>>): Promise<{
  readonly program: RunningProgram;
  readonly mortals: Mortals;
}> {
  const mortals = await startMortals([OLLAMA, OLLAMA, VLLM], WORDS);
  fleets.push(mortals);
  const path = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'gateway.yaml');
  writeFileSync(path, mortals.file);
  return { mortals, program: await start({ ...tellingEnv(), ...env, GATEWAY_CONFIG: path }) };
}

/** What became of a request; whatever is none of the first four is a request lost, and says why. */
type Fate = 'whole' | 'told' | 'left' | 'refused' | `lost: ${string}`;

async function streamed({ chat }: RunningProgram): Promise<Fate> {
  const response = await chat({ stream: true });
  if (response.status !== 200) return `lost: ${String(response.status)} ${await response.text()}`;
  const { text, isDone, error } = await readStream(response);
  if (text === WHOLE && isDone && !error) return 'whole';
  const isTold = !isDone && error !== undefined && text !== '' && WHOLE.startsWith(text);
  return isTold ? 'told' : `lost: ${text}, done ${String(isDone)}, ${String(error?.code)}`;
}

async function inOnePiece({ chat }: RunningProgram): Promise<Fate> {
  const text = await (await chat()).text();
  return text.includes(`"${WHOLE}"`) ? 'whole' : `lost: ${text}`;
}

async function leaving({ chat }: RunningProgram, stayMs: number): Promise<Fate> {
  const signal = AbortSignal.timeout(stayMs);
  try {
    await (await chat({ stream: true }, { signal })).text();
    return 'whole';
  } catch (error) {
    return signal.aborted ? 'left' : `lost: ${String(error)}`;
  }
}

async function wrong({ chat }: RunningProgram): Promise<Fate> {
  const { status } = await chat({ messages: 'none' });
  return status === 400 ? 'refused' : `lost: ${String(status)} for a request that is at fault`;
}

/** Half of them streams, a fifth from clients who leave, some at fault. */
async function sendMixed(
  program: RunningProgram,
  seconds: number,
  random: () => number,
): Promise<Map<Fate, number>> {
  const fates = new Map<Fate, number>();
  await atPace(PER_SECOND, PER_SECOND * seconds, async () => {
    const [kind, stay] = [random(), random()];
    const fate = await (kind < 0.5
      ? streamed(program)
      : kind < 0.75
        ? inOnePiece(program)
        : kind < 0.95
          ? leaving(program, Math.ceil(stay * 200))
          : wrong(program));
    fates.set(fate, (fates.get(fate) ?? 0) + 1);
  });
  return fates;
}

const lostOf = (fates: ReadonlyMap<Fate, number>): [Fate, number][] =>
  [...fates].filter(([fate]) => fate.startsWith('lost'));

function print(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${String(count)} ${name}`).join(', ');
}

describe('a mixed load on three backends', () => {
  it('that die by turns loses no request, and leaves nothing', async () => {
    const { program, mortals } = await startFleet(TIMES);
    const random = randomOf(SEED);
    expect(lostOf(await sendMixed(program, WARM_UP_SECONDS, random))).toEqual([]);
    const { level, expectReturnTo } = watchLevel(program);
    const before = await level();

    mortals.dieByTurns({ wellMs: 2000, illMs: 2000, random });
    const reloading = setInterval(() => program.process.kill('SIGHUP'), RELOAD_MS);
    const fates = await sendMixed(program, SECONDS, random);
    clearInterval(reloading);
    await mortals.liveOn();

    tellFigure(`${String(SECONDS)} s at ${String(PER_SECOND)} requests a second`, print(fates));
    tellFigure('deaths', print(mortals.deaths));
    tellFigure('failovers', String(await sumOf(program, ['ai_gateway_failovers_total'])));
    expect(lostOf(fates)).toEqual([]);
    await expectReturnTo(before, 'after the mixed load');
    expect(await sumOf(program, ['ai_gateway_failovers_total'])).toBeGreaterThan(0);
    program.process.kill('SIGTERM');
    expect((await program.ended).code).toBe(0);
  });

  it('of which one flaps every two seconds shows no client more than one error in a thousand', async () => {
    const { program, mortals } = await startFleet({});
    mortals.dieByTurns({ wellMs: 2000, illMs: 2000, random: () => 0 });
    const answers = await atPace(50, 50 * sized(20), (i) =>
      i % 2 === 0 ? streamed(program) : inOnePiece(program),
    );
    const lost = answers.filter((fate) => fate.startsWith('lost'));
    tellFigure('flapping', `${String(answers.length)} requests, ${String(lost.length)} lost`);
    expect(lost.length).toBeLessThanOrEqual(answers.length / 1000);
  });
});
