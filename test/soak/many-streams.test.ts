/** Two thousand streams at the same time through one process: each is whole, and its own. */

import { beforeAll, expect, it, jest } from '@jest/globals';
import { tellFigure } from '../support/figures.ts';
import { sleep } from '../support/load.ts';
import { buildProgram } from '../support/program.ts';
import { createPrograms, type RunningProgram } from '../support/programs.ts';
import type { Script, ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { SPEECHES, type Speech } from '../support/speech.ts';
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

/** Says the words of each prompt, when all streams of a wave have begun. */
function togetherSaying({ token, done }: Speech): Script {
  let begun = 0;
  return async (call) => {
    const [first = '', ...others] = wordsFor(promptOf(call));
    await call.write(token(first));
    begun++;
    const wave = Math.ceil(begun / STREAMS);
    await eventually(() => begun >= wave * STREAMS);
    for (const word of others) {
      await call.write(token(word));
      await sleep(TOKEN_MS);
    }
    call.end(done());
  };
}

async function expectWhole({ chat }: RunningProgram): Promise<void> {
  const prompts = Array.from({ length: STREAMS }, (_, i) => `client ${String(i)}`);
  const streams = await Promise.all(
    prompts.map(async (prompt) =>
      readStream(await chat({ stream: true, messages: [{ role: 'user', content: prompt }] })),
    ),
  );
  expect(streams.map(({ text }) => text)).toEqual(prompts.map((prompt) => wordsFor(prompt).join('')));
  expect(streams.filter(({ isDone, error }) => !isDone || error)).toEqual([]);
}

it.each(SPEECHES)(
  '2,000 streams of %s at once are complete and exact, and none is mixed up',
  async (_, speech) => {
    const backend = await setup.backend(togetherSaying(speech));
    const program = await start({ ...tellingEnv(), [speech.variable]: backend.url });
    const { level, expectReturnTo } = watchLevel(program);
    const before = await level();
    const first = expectWhole(program);
    await eventually(() => backend.calls.length === STREAMS);
    const most = await program.metric('process_resident_memory_bytes ');
    await first;
    tellFigure(
      `${String(STREAMS)} streams at once, ${speech.kind}`,
      `all whole, RSS +${((most - before.rssBytes) / MB).toFixed(0)} MB meanwhile`,
    );
    // The heap is as large as so many streams need, and serves for the next ones.
    const between = await level();
    await expectWhole(program);
    await expectReturnTo(between, 'after as many again');
  },
);
