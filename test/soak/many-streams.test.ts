/** Two thousand streams at the same time through one process: each is whole, and its own. */

import { beforeAll, expect, it, jest } from '@jest/globals';
import { tellFigure } from '../support/figures.ts';
import { sleep } from '../support/load.ts';
import { buildProgram } from '../support/program.ts';
import { createPrograms } from '../support/programs.ts';
import type { ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { SPEECHES } from '../support/speech.ts';
import { readStream } from '../support/sse.ts';
import { MB, tellingEnv, watchLevel } from './level.ts';
import { sized } from './size.ts';

jest.setTimeout(300_000);

const STREAMS = sized(2000);
const TOKENS = 20;
const TOKEN_MS = 100;

const setup = createSetup();
const start = createPrograms();
beforeAll(buildProgram, 60_000);

function promptOf({ body }: ScriptedCall): string {
  return (body.messages as { content: string }[])[0]?.content ?? '';
}

const wordsFor = (prompt: string): string[] =>
  Array.from({ length: TOKENS }, (_, i) => `${prompt}/${String(i)} `);

it.each(SPEECHES)(
  '2,000 streams of %s at once are complete and exact, and none is mixed up',
  async (_, speech) => {
    let begun = 0;
    const backend = await setup.backend(async (call) => {
      const [first = '', ...others] = wordsFor(promptOf(call));
      await call.write(speech.token(first));
      begun++;
      // All are under way before the first goes on.
      await eventually(() => begun === STREAMS);
      for (const word of others) {
        await call.write(speech.token(word));
        await sleep(TOKEN_MS);
      }
      call.end(speech.done());
    });
    const program = await start({ ...tellingEnv(), [speech.variable]: backend.url });
    const { level, expectReturnTo } = watchLevel(program);
    const before = await level();

    const prompts = Array.from({ length: STREAMS }, (__, i) => `client ${String(i)}`);
    const reading = prompts.map(async (prompt) =>
      readStream(await program.chat({ stream: true, messages: [{ role: 'user', content: prompt }] })),
    );
    await eventually(() => begun === STREAMS);
    const most = await program.metric('process_resident_memory_bytes ');
    const streams = await Promise.all(reading);

    expect(streams.map(({ text }) => text)).toEqual(prompts.map((prompt) => wordsFor(prompt).join('')));
    expect(streams.filter(({ isDone, error }) => !isDone || error)).toEqual([]);
    tellFigure(
      `${String(STREAMS)} streams at once, ${speech.kind}`,
      `all whole, RSS +${((most - before.memoryBytes) / MB).toFixed(0)} MB meanwhile`,
    );
    await expectReturnTo(before, 'after them');
  },
);
