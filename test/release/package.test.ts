/** The package as npm publishes it, installed into an empty folder. Only `npm run test:release` comes here. */

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { saying } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PUBLINT = 'publint@0.3.25';
const ARE_THE_TYPES_WRONG = '@arethetypeswrong/cli@0.18.5';
const setup = createSetup();
const folder = mkdtempSync(join(tmpdir(), 'package-'));
const running: ChildProcess[] = [];
let tarball = '';
let contents: readonly string[] = [];

async function run(cwd: string, ...args: readonly string[]): Promise<string> {
  const [program = '', ...rest] = args;
  const { stdout } = await promisify(execFile)(program, rest, { cwd, timeout: 120_000 });
  return stdout;
}

beforeAll(async () => {
  const [packed] = JSON.parse(
    await run(ROOT, 'npm', 'pack', '--json', '--silent', '--pack-destination', folder),
  ) as [{ filename: string; files: { path: string }[] }];
  tarball = join(folder, packed.filename);
  contents = packed.files.map(({ path }) => path);
}, 120_000);

afterEach(() => {
  // npx and what it runs are one group.
  for (const { pid } of running.splice(0)) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
});

describe('the package', () => {
  it('holds the program with its papers, and neither its source nor its maps', () => {
    const papers = contents.filter((path) => !path.startsWith('dist/'));
    expect(papers.sort()).toEqual([
      '.env.example',
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'gateway.example.yaml',
      'openapi.yaml',
      'package.json',
    ]);
    const program = contents.filter((path) => path.startsWith('dist/'));
    expect(program).toContain('dist/main.js');
    expect(program.filter((path) => !/\.(js|LEGAL\.txt)$/.test(path))).toEqual([]);
  });

  it('has no fault that publint or "are the types wrong" know', async () => {
    expect(await run(folder, 'npx', '--yes', PUBLINT, tarball, '--strict')).toContain('All good!');
    // A program has no types to be wrong about; a fault would be an exit code.
    await run(folder, 'npx', '--yes', ARE_THE_TYPES_WRONG, tarball);
  }, 120_000);

  it('runs by npx where it is installed, and answers', async () => {
    const home = mkdtempSync(join(tmpdir(), 'installed-'));
    writeFileSync(join(home, 'package.json'), '{}');
    await run(home, 'npm', 'install', '--no-audit', '--no-fund', '--silent', tarball);
    const { url } = await setup.backend(saying('Hello', ' there'));
    const child = spawn('npx', ['--no-install', 'node-ai-gateway'], {
      cwd: home,
      detached: true,
      env: { ...process.env, PORT: '0', NODE_ENV: '', OLLAMA_BASE_URL: url },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    running.push(child);
    const screen = await new Promise<string>((resolve) => {
      let seen = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        seen += text;
        if (seen.includes('curl')) resolve(seen);
      });
      child.on('exit', () => {
        resolve(seen);
      });
    });
    const [origin = ''] = /http:\/\/localhost:\d+(?=\/v1)/.exec(screen) ?? [];
    const response = await fetch(`${origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] }),
    });
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: 'Hello there' } }] });
    expect((await fetch(`${origin}/openapi.yaml`)).status).toBe(200);
  }, 120_000);
});
