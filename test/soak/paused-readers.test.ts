/** Readers that take nothing of a firehose, come and go for minutes: what they cost is bounded, and given back. */

import { beforeAll, expect, it, jest } from '@jest/globals';
import { tellFigure } from '../support/figures.ts';
import { firehose, isStuck, openReaders, takenOf } from '../support/firehose.ts';
import { sleep } from '../support/load.ts';
import { buildProgram } from '../support/program.ts';
import { createPrograms } from '../support/programs.ts';
import { saying } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { SPEECHES } from '../support/speech.ts';
import { MB, tellingEnv, watchLevel } from './level.ts';
import { sized } from './size.ts';

jest.setTimeout(900_000);

const ROUNDS = sized(10);
const READERS = 10;
/** How long they hold what they have not read. */
const STAY_MS = 5000;
const WARM_UP = 200;

const setup = createSetup();
const start = createPrograms();
beforeAll(buildProgram, 60_000);

it.each(SPEECHES)(
  'ten at a time before %s cost little, and leave nothing when they leave',
  async (_, speech) => {
    const backend = await setup.backend(saying('fine'));
    const program = await start({ ...tellingEnv(), [speech.variable]: backend.url });
    for (let i = 0; i < WARM_UP; i++) expect((await program.chat({ stream: i % 2 === 0 })).status).toBe(200);
    const { level, expectReturnTo } = watchLevel(program);
    const before = await level();

    let mostTakenBytes = 0;
    let mostMemoryBytes = 0;
    for (let round = 0; round < ROUNDS; round++) {
      backend.script(firehose(speech));
      const sockets = openReaders(Number(new URL(program.origin).port), READERS);
      await isStuck(backend, READERS);
      await sleep(STAY_MS);
      mostTakenBytes = Math.max(mostTakenBytes, ...takenOf(backend));
      mostMemoryBytes = Math.max(mostMemoryBytes, await program.metric('process_resident_memory_bytes '));
      backend.script(saying('fine'));
      expect(await (await program.chat({ stream: true })).text()).toContain('[DONE]');
      for (const socket of sockets) socket.destroy();
    }

    const grownBytes = mostMemoryBytes - before.rssBytes;
    tellFigure(
      `${String(READERS)} paused readers, ${String(ROUNDS)} times, ${speech.kind}`,
      `at most ${(mostTakenBytes / MB).toFixed(1)} MB taken each, RSS at most +${(grownBytes / MB).toFixed(0)} MB meanwhile`,
    );
    expect(mostTakenBytes).toBeLessThan(32 * MB);
    expect(grownBytes).toBeLessThan(120 * MB);
    await expectReturnTo(before, 'after they have left');
  },
);
