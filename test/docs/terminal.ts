/** A terminal in a folder of its own: what readers of a page do with what they paste. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));
/** Of the addresses on the pages. */
const ORIGIN = 'http://localhost:3000';
const LIMIT_MS = 25_000;

export interface Terminal {
  /** Saves a file under its name on the page. */
  save(name: string, text: string): void;
  /** Runs a program to its end; resolves with all that it printed, on both its outputs. Rejects unless it ends well. */
  run(program: string, ...args: readonly string[]): Promise<string>;
  readonly folder: string;
  close(): void;
}

/** `origin`: where the gateway is, in the place of the one on the pages. Packages are those of the repository. */
export function openTerminal(origin: string, env: Readonly<Record<string, string>>): Terminal {
  const folder = mkdtempSync(join(CACHE, 'terminal-'));
  const toHere = (text: string): string => text.replaceAll(ORIGIN, origin);
  return {
    folder,
    save(name, text) {
      writeFileSync(join(folder, name), toHere(text));
    },
    run: (program, ...args) =>
      new Promise((resolve, reject) => {
        const child = spawn(program, args.map(toHere), {
          cwd: folder,
          env: { PATH: process.env.PATH, NO_PROXY: '*', no_proxy: '*', ...env },
          stdio: ['ignore', 'pipe', 'pipe'],
          timeout: LIMIT_MS,
        });
        let printed = '';
        for (const output of [child.stdout, child.stderr]) {
          output.setEncoding('utf8').on('data', (text: string) => {
            printed += text;
          });
        }
        child.on('error', reject);
        child.on('close', (code) => {
          if (code === 0) resolve(printed.replaceAll(origin, ORIGIN));
          else reject(new Error(`${program} ${args.join(' ')} ended with ${String(code)}: ${printed}`));
        });
      }),
    close() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
