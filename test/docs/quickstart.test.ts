/** docs/quickstart.md, typed in from top to bottom: each command prints what the page shows. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LOCAL_CANDIDATES } from '../../src/node/detect.ts';
import { buildProgram, programFolder } from '../support/program.ts';
import { asShown, fencesOf, withoutVarying, type Fence } from './page.ts';
import { openTerminal, type Terminal } from './terminal.ts';

const ROOT = new URL('../../', import.meta.url);
const INSTALLATION = 'npm ci\nnpm run build\n';

const servers = await Promise.all(
  LOCAL_CANDIDATES.map(({ kind, url }) =>
    fetch(kind === 'ollama' ? `${url}/api/version` : `${url}/models`, {
      signal: AbortSignal.timeout(1000),
    }).then(
      ({ ok }) => ok,
      () => false,
    ),
  ),
);
const lacking = servers.includes(true)
  ? ' (a model server on this machine takes the place of the demo)'
  : spawnSync('curl', ['--version']).status === 0
    ? ''
    : ' (no curl is here)';

const fences = fencesOf('quickstart.md').filter(({ language }) => language !== '');

let terminal: Terminal;

beforeAll(() => {
  terminal = openTerminal({});
});
afterAll(() => terminal.close());

/** Does what the page says, and resolves with what is printed. */
async function follow({ language, name, text }: Fence): Promise<string> {
  if (language === 'js') terminal.save(name, text);
  else if (text === INSTALLATION) install();
  else if (text.endsWith('node dist/main.js\n')) return terminal.start(text.trim());
  else return terminal.type(text);
  return '';
}

/** The build script's result, without installing the packages once more. */
function install(): void {
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(scripts.build).toBe('node scripts/build.mjs');
  buildProgram();
  terminal.link('dist', programFolder());
  terminal.link('node_modules', fileURLToPath(new URL('node_modules', ROOT)));
}

(lacking === '' ? describe : describe.skip)(`docs/quickstart.md${lacking}`, () => {
  it.each(fences.map((fence) => [fence.text.split('\n', 1)[0] ?? '', fence] as const))(
    '%s',
    async (_, fence) => {
      const printed = withoutVarying(await follow(fence));
      expect(printed).toMatch(asShown(fence.shown ?? ''));
    },
    60_000,
  );
});
