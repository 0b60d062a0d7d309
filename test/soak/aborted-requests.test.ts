/** Clients leave at every stage of their requests, thousands of them: everything is as before. */

import { beforeAll, expect, it, jest } from '@jest/globals';
import { openSocket, printChat } from '../support/bare-socket.ts';
import { tellFigure } from '../support/figures.ts';
import { sleep } from '../support/load.ts';
import { buildProgram } from '../support/program.ts';
import { createPrograms } from '../support/programs.ts';
import { saying, type Script, type ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { SPEECHES, type Speech } from '../support/speech.ts';
import { tellingEnv, watchLevel } from './level.ts';
import { sized } from './size.ts';

jest.setTimeout(900_000);

const STAGES = ['sending', 'waiting', 'begun', 'streaming'] as const;
type Stage = (typeof STAGES)[number];

const REQUESTS = sized(20_000);
const AT_ONCE = 100;
const WARM_UP = 500;
const TOKEN_MS = 20;
/** R10: from the leaving of a client to the end of the request to its backend. */
const CANCELLED_WITHIN_MS = 1000;

const setup = createSetup();
const start = createPrograms();
beforeAll(buildProgram, 60_000);

interface Visit {
  readonly stage: Stage;
  leftMs: number;
  /** The backend is as far as the client wants it to be. */
  leave: () => void;
}

interface Visitors {
  readonly script: Script;
  /** By stage: the longest time from the leaving of a client to the end at the backend. */
  readonly longestMs: Map<Stage, number>;
  visit(port: number, id: number): Promise<void>;
}

function idOf({ body }: ScriptedCall): number {
  const [message] = body.messages as { content: string }[];
  return Number(message?.content);
}

function createVisitors({ token }: Speech): Visitors {
  const visits = new Map<number, Visit>();
  const longestMs = new Map<Stage, number>();
  /** Requests that a backend has and that have not ended there. */
  let underWay = 0;

  return {
    longestMs,

    async script(call) {
      const id = idOf(call);
      const visit = visits.get(id);
      if (!visit) throw new Error(`nobody sent ${String(id)}`);
      underWay++;
      void call.closed.then(() => {
        underWay--;
        visits.delete(id);
        const ms = performance.now() - visit.leftMs;
        longestMs.set(visit.stage, Math.max(longestMs.get(visit.stage) ?? 0, ms));
      });
      if (visit.stage !== 'waiting') call.res.flushHeaders();
      if (visit.stage !== 'streaming') {
        visit.leave();
        return;
      }
      while (!call.res.destroyed) {
        await call.write(token('t'));
        await sleep(TOKEN_MS);
      }
    },

    async visit(port, id) {
      const stage = STAGES[id % STAGES.length] ?? 'sending';
      const kind = Math.floor(id / STAGES.length);
      const socket = openSocket(port);
      const text = printChat({
        stream: stage === 'streaming' || kind % 2 === 0,
        messages: [{ role: 'user', content: String(id) }],
      });
      const isReached = new Promise<void>((resolve) => {
        if (stage === 'sending') {
          socket.write(text.slice(0, kind % text.length), () => {
            resolve();
          });
          return;
        }
        visits.set(id, { stage, leftMs: Infinity, leave: resolve });
        socket.write(text);
        if (stage === 'streaming') socket.once('data', () => resolve());
      });
      await isReached;
      const visit = visits.get(id);
      if (visit) visit.leftMs = performance.now();
      if (kind % 3 === 0) socket.resetAndDestroy();
      else socket.destroy();
      await eventually(() => !visits.has(id));
      expect(underWay).toBeLessThan(AT_ONCE);
    },
  };
}

it.each(SPEECHES)('20,000 requests that are broken off before %s leave nothing', async (_, speech) => {
  const backend = await setup.backend(saying('fine'));
  const program = await start({ ...tellingEnv(), [speech.variable]: backend.url, LOG_LEVEL: 'warn' });
  const port = Number(new URL(program.origin).port);
  for (let i = 0; i < WARM_UP; i++) expect((await program.chat({ stream: i % 2 === 0 })).status).toBe(200);
  const { level, expectReturnTo } = watchLevel(program);
  const before = await level();

  const { script, longestMs, visit } = createVisitors(speech);
  backend.script(script);
  let next = 0;
  const visitOnAndOn = async (): Promise<void> => {
    while (next < REQUESTS) await visit(port, next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, visitOnAndOn));

  await expectReturnTo(before, `${String(REQUESTS)} aborted requests, ${speech.kind}`);
  const times = [...longestMs].map(([stage, ms]) => `${stage} ${ms.toFixed(0)} ms`);
  tellFigure('upstream cancelled at most after', times.join(', '));
  expect(longestMs.size).toBe(STAGES.length - 1); // who is still sending has no backend yet
  for (const ms of longestMs.values()) expect(ms).toBeLessThan(CANCELLED_WITHIN_MS);
  backend.script(saying('fine'));
  expect(await (await program.chat()).text()).toContain('fine');
});
