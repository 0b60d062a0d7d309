/** docs/clients/: the snippets of each library, run as they stand, print what the page shows. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startDemoBackend, type DemoBackend } from '../../src/node/demo/server.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { asShown, fencesOf, pageText, withoutVarying, type Fence } from './page.ts';
import { openTerminal, type Terminal } from './terminal.ts';

const KEY = 'sk-test-0123456789abcdef0123456789abcdef';
const ROOT = new URL('../../', import.meta.url);
const PYTHON_OF_CI = fileURLToPath(new URL('node_modules/.cache/python/bin/python', ROOT));

const python = [PYTHON_OF_CI, 'python3'].find(
  (each) => (each === 'python3' || existsSync(each)) && spawnSync(each, ['-c', 'import openai']).status === 0,
);
const hasCurl = spawnSync('curl', ['--version']).status === 0;

const PAGES = ['openai-js', 'langchain', 'llamaindex', 'ai-sdk'];
const { dependencies, devDependencies } = JSON.parse(read('package.json')) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
const VERSIONS: Readonly<Record<string, string>> = { ...dependencies, ...devDependencies };

let demo: DemoBackend;
let gateway: TestGateway;
let terminal: Terminal;

beforeAll(async () => {
  demo = await startDemoBackend({ tokenMs: 0 });
  const file = `backends: [{ name: demo, kind: ollama, url: '${demo.url}' }]`;
  gateway = await startGateway({ file, env: { AUTH_KEY: KEY } });
  terminal = openTerminal({ API_KEY: KEY }, gateway.url);
});
afterAll(async () => {
  await terminal.close();
  await gateway.close();
  await demo.close();
});

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

/** Packages and their versions, as the page says that they were tested. */
function testedOn(page: string): [string, string][] {
  const [told = ''] = /^Tested with .*$/m.exec(pageText(`clients/${page}.md`)) ?? [];
  return [...told.matchAll(/`(\S+)` (\d\S*\d)/g)].map(([, name = '', version = '']) => [name, version]);
}

/** The blocks in one language, with their names for the names of tests. */
function snippetsOf(page: string, language: string): [string, Fence][] {
  return fencesOf(`clients/${page}.md`)
    .filter((fence) => fence.language === language)
    .map((fence) => [fence.name, fence]);
}

/** Runs a snippet and holds what it prints to what the page shows. */
async function expectShown({ name, text, shown = '' }: Fence, program: string): Promise<void> {
  expect(shown).not.toBe('');
  terminal.save(name, text);
  expect(withoutVarying(await terminal.run(program, name))).toMatch(asShown(shown));
}

describe.each(PAGES)('docs/clients/%s.md', (page) => {
  it.each(snippetsOf(page, 'js'))('%s prints what the page shows', async (_, fence) => {
    await expectShown(fence, process.execPath);
  });

  it('installs packages and names versions that are tested', () => {
    const [install] = fencesOf(`clients/${page}.md`);
    const packages = install?.text.replace('npm install ', '').trim().split(' ') ?? [];
    expect(Object.keys(VERSIONS)).toEqual(expect.arrayContaining(packages));
    const tested = testedOn(page);
    expect(tested.length).toBeGreaterThan(0);
    expect(tested).toEqual(tested.map(([name]) => [name, VERSIONS[name]]));
  });
});

(python === undefined ? describe.skip : describe)(
  `docs/clients/openai-python.md${python === undefined ? ' (no python3 with openai is here)' : ''}`,
  () => {
    it.each(snippetsOf('openai-python', 'python'))('%s prints what the page shows', async (_, fence) => {
      await expectShown(fence, python ?? '');
    });
  },
);

it('docs/clients/openai-python.md names the version that .ci/run installs', () => {
  const [, version] = /openai==([\d.]+)/.exec(read('.ci/run')) ?? [];
  expect(testedOn('openai-python')).toEqual([['openai', version]]);
});

(hasCurl ? describe : describe.skip)(`docs/clients/curl.md${hasCurl ? '' : ' (no curl is here)'}`, () => {
  it.each(snippetsOf('curl', 'sh').map(([, fence], i) => [i + 1, fence] as const))(
    'command %i prints what the page shows',
    async (_, { text, shown = '' }) => {
      expect(shown).not.toBe('');
      expect(withoutVarying(await terminal.run('bash', '-c', text))).toMatch(asShown(shown));
    },
  );
});
