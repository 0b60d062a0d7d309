// The gateway as it is shipped: a folder with main.js in it, built when it is missing.

import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** Where `npm run build` leaves it. */
export const DEFAULT_BUILD = join(PROJECT, 'dist');

/**
 * The program in a build folder, and when it was built. One that exists is measured as it is, even if src
 * is newer.
 */
export function ensureBuild(folder) {
  const program = resolve(folder, 'main.js');
  if (!existsSync(program)) {
    const build = ['scripts/build.mjs', '--out', resolve(folder)];
    execFileSync(process.execPath, build, { cwd: PROJECT, stdio: ['ignore', 2, 2] });
  }
  return { program, builtAt: statSync(program).mtime };
}
