/** Programs for one test, with their way in; they are killed after it. */

import { afterEach } from '@jest/globals';
import { runProgram, type Program } from './program.ts';
import { eventually } from './setup.ts';

export interface RunningProgram extends Program {
  /** `http://localhost:<port>` */
  readonly origin: string;
  /** POST /v1/chat/completions with a plain question, unless `body` says otherwise. */
  chat(body?: object, init?: RequestInit): Promise<Response>;
  /** Resolves when so many workers have begun to listen since the start. */
  listening(workers: number): Promise<void>;
  /** The value of the first sample whose name and labels begin so; 0 when there is none. */
  metric(beginning: string): Promise<number>;
}

/** Resolves when the program serves. */
export type StartProgram = (env: Readonly<Record<string, string>>, cwd?: string) => Promise<RunningProgram>;

export function createPrograms(): StartProgram {
  const running: Program[] = [];
  afterEach(async () => {
    for (const program of running.splice(0)) {
      program.process.kill('SIGKILL');
      await program.ended;
    }
  });
  return async (env, cwd) => {
    const program = runProgram(env, cwd);
    running.push(program);
    const screen = await program.until("}'");
    const [origin = ''] = /http:\/\/localhost:\d+(?=\/v1)/.exec(screen) ?? [];
    return {
      ...program,
      origin,
      chat: (body = {}, init = {}) =>
        fetch(`${origin}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body }),
          ...init,
        }),
      listening: (workers) =>
        eventually(
          async () => (await program.until('worker listens')).split('worker listens').length > workers,
        ),
      async metric(beginning) {
        const text = await (await fetch(`${origin}/metrics`)).text();
        const line = text.split('\n').find((each) => each.startsWith(beginning)) ?? '';
        return Number(line.slice(line.lastIndexOf(' ') + 1));
      },
    };
  };
}
