/** A terminal in a folder of its own: what readers of a page do with what they paste. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Below the packages of the repository, so that they are found. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));
/** Of the addresses on the pages. */
const SHOWN_ORIGIN = 'http://localhost:3000';
const LIMIT_MS = 25_000;

export interface Terminal {
  /** Saves a file under its name on the page. */
  save(name: string, text: string): void;
  /** Gives a folder the name that it has on the page. */
  link(name: string, target: string): void;
  /** Runs a program to its end; resolves with all that it printed, on both outputs. Rejects unless it ends well. */
  run(program: string, ...args: readonly string[]): Promise<string>;
  /** The same with lines for a shell, which keeps what it exports for those that follow. */
  type(lines: string): Promise<string>;
  /** Starts a gateway and resolves with its screen; one that was started before is ended, as by Ctrl-C. */
  start(line: string): Promise<string>;
  close(): Promise<void>;
}

/** `origin`: of a gateway that runs already, in the place of the one on the pages. */
export function openTerminal(env: Readonly<Record<string, string>>, origin = SHOWN_ORIGIN): Terminal {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'terminal-'));
  let here = origin;
  let gateway: ChildProcess | undefined;
  const toHere = (text: string): string => text.replaceAll(SHOWN_ORIGIN, here);
  const toShown = (text: string): string => text.replaceAll(here, SHOWN_ORIGIN);

  function open(program: string, args: readonly string[]): { child: ChildProcess; printed: () => string } {
    const child = spawn(program, args.map(toHere), {
      cwd: folder,
      env: { PATH: process.env.PATH, NO_PROXY: '*', no_proxy: '*', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
        child.emit('printed');
      });
    }
    return { child, printed: () => printed };
  }

  async function run(program: string, ...args: readonly string[]): Promise<string> {
    const { child, printed } = open(program, args);
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    const [code] = (await once(child, 'close')) as [number | null];
    clearTimeout(limit);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${String(code)}: ${printed()}`);
    return toShown(printed());
  }

  async function stop(): Promise<void> {
    if (gateway?.exitCode !== null) return;
    gateway.kill('SIGINT');
    await once(gateway, 'close');
  }

  return {
    save(name, text) {
      writeFileSync(join(folder, name), toHere(text));
    },
    link(name, target) {
      symlinkSync(target, join(folder, name));
    },
    run,
    type: (lines) => run('bash', '-c', `[ ! -e .exported ] || . ./.exported\n${lines}\nexport -p >.exported`),
    async start(line) {
      await stop();
      const { child, printed } = open('bash', [
        '-c',
        `export PORT=0; ${line.replace(/node /, 'exec node ')}`,
      ]);
      gateway = child;
      while (!printed().endsWith("}'\n\n"))
        await once(child, 'printed', { signal: AbortSignal.timeout(LIMIT_MS) });
      here = /http:\/\/localhost:\d+(?=\/v1)/.exec(printed())?.[0] ?? here;
      return toShown(printed());
    },
    async close() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
