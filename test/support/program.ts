/** The built program as a user runs it: a process with an environment, a screen and an exit code. */

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Not dist/, which may be in use. */
const BUILDS = join(ROOT, 'node_modules', '.cache', 'program');
const OLD_AFTER_MS = 3_600_000;

export interface Program {
  readonly process: ChildProcess;
  /** Resolves with all that was printed when it holds this text; rejects when the program ends without it. */
  until(text: string): Promise<string>;
  /** Resolves when it has ended. */
  readonly ended: Promise<{
    code: number | null;
    signal: NodeJS.Signals | null;
    stdout: string;
    stderr: string;
  }>;
}

/** For each test file that runs programs. The first of those that run at the same time builds for all. */
export function buildProgram(): void {
  const out = programFolder();
  if (existsSync(out)) return;
  const own = `${out}-${String(process.pid)}`;
  execFileSync(process.execPath, ['scripts/build.mjs', '--out', own], { cwd: ROOT });
  try {
    renameSync(own, out);
  } catch {
    rmSync(own, { recursive: true }); // another one was faster
  }
  for (const name of readdirSync(BUILDS)) {
    const path = join(BUILDS, name);
    if (Date.now() - statSync(path).mtimeMs > OLD_AFTER_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** One for each state of the sources. */
export function programFolder(): string {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const paths = [...sources.map((path) => join(ROOT, 'src', path)), join(ROOT, 'scripts', 'build.mjs')];
  const newestMs = Math.max(...paths.map((path) => statSync(path).mtimeMs));
  return join(BUILDS, String(Math.round(newestMs)));
}

/** Nothing of the test's own environment but PATH goes along; the working folder is an empty one unless given. */
export function runProgram(
  env: Readonly<Record<string, string>>,
  cwd = mkdtempSync(join(tmpdir(), 'gateway-')),
  args: readonly string[] = [],
): Program {
  const child = spawn(process.execPath, [join(programFolder(), 'main.js'), ...args], {
    cwd,
    env: { PATH: process.env.PATH, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const waiting = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const look of waiting) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Awaited<Program['ended']>>((resolve) => {
    child.on('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr });
    });
  });
  return {
    process: child,
    ended,
    until: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!stdout.includes(text)) return;
          waiting.delete(look);
          resolve(stdout);
        };
        waiting.add(look);
        look();
        void ended.then(({ code }) => {
          reject(new Error(`ended with ${String(code)} before it printed ${text}: ${stdout}${stderr}`));
        });
      }),
  };
}
