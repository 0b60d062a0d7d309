/** Records as large as no buffer, and records without an end: what they cost the process, and the others in it. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { expectWithin, tellFigure } from '../../support/figures.ts';
import { sleep } from '../../support/load.ts';
import { buildProgram } from '../../support/program.ts';
import { createPrograms, type RunningProgram } from '../../support/programs.ts';
import type { Script } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';
import { SPEECHES, type Speech } from '../../support/speech.ts';
import { parseStream } from '../../support/sse.ts';

const setup = createSetup();
const start = createPrograms();
const MB = 1024 * 1024;
const LARGE = 'z'.repeat(20 * MB);

beforeAll(buildProgram, 60_000);

/** Until `work` is over: the largest memory of the program, and the longest time for which it did nothing else. */
async function watch(
  { origin }: RunningProgram,
  work: Promise<unknown>,
): Promise<{ readonly bytes: number; readonly stuckMs: number }> {
  const seen = { bytes: 0, stuckMs: 0, isOver: false };
  const end = (): void => {
    seen.isOver = true;
  };
  void work.then(end, end);
  while (!seen.isOver) {
    // The second counts from one look to the next, so both are of the same look.
    const text = await (await fetch(`${origin}/metrics`)).text();
    const sampleOf = (name: string): number => Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1]);
    seen.bytes = Math.max(seen.bytes, sampleOf('process_resident_memory_bytes'));
    seen.stuckMs = Math.max(seen.stuckMs, 1000 * sampleOf('nodejs_eventloop_lag_max_seconds'));
    await sleep(5);
  }
  return seen;
}

function endless({ kind }: Speech): Script {
  const piece = 'z'.repeat(MB);
  return async ({ write, res }) => {
    await write(
      kind === 'ollama'
        ? '{"model":"m","message":{"role":"assistant","content":"'
        : 'data: {"choices":[{"delta":{"content":"',
    );
    while (!res.destroyed) await write(piece);
  };
}

describe.each(SPEECHES)('a record of %s', (_, speech) => {
  it.each([
    ['allowed', { gives: LARGE, error: undefined }, 'limits: { maxRecordBytes: 32mb }'],
    ['too large', { gives: '', error: 'upstream_invalid_response' }, ''],
  ])(
    'of 20 MB that is %s is passed or refused as a whole, and nobody else waits',
    async (_what, told, more) => {
      const backend = await setup.backend(({ end }) => end(speech.token(LARGE) + speech.done()));
      const path = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'gateway.yaml');
      const { kind } = speech;
      writeFileSync(path, `${more}\nbackends: [{ name: b, kind: ${kind}, url: "${backend.url}" }]`);
      const program = await start({ GATEWAY_CONFIG: path });
      const before = await program.metric('process_resident_memory_bytes ');
      const answer = program.chat({ stream: true }).then(async (response) => response.text());
      const { bytes, stuckMs } = await watch(program, answer);
      const text = await answer;
      if (told.error) expect(text).toContain(told.error);
      else expect(parseStream(text)).toMatchObject({ text: told.gives, isDone: true });
      tellFigure('a record of 20 MB', `RSS +${((bytes - before) / MB).toFixed(0)} MB`);
      expect(bytes - before).toBeLessThan(300 * MB);
      expectWithin('others wait beside a record of 20 MB', stuckMs, 1000);
    },
  );

  it('without an end is cut', async () => {
    const backend = await setup.backend(endless(speech));
    const program = await start({ [speech.variable]: backend.url });
    const before = await program.metric('process_resident_memory_bytes ');
    const answer = program.chat({ stream: true }).then(async (response) => response.text());
    const { bytes } = await watch(program, answer);
    expect(await answer).toContain('upstream_invalid_response');
    const [call] = backend.calls;
    await call?.closed;
    tellFigure(
      'a record without an end',
      `cut after ${((call?.socket.bytesWritten ?? 0) / MB).toFixed(0)} MB, RSS +${((bytes - before) / MB).toFixed(0)} MB`,
    );
    expect(bytes - before).toBeLessThan(200 * MB);
  });
});
