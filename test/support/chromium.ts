/** A page of the test's own in a real Chromium, where the machine has one (Debian: chromium). */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { buildSync } from 'esbuild';

const PROGRAM = 'chromium';

/** Skipped by name where the machine has no Chromium. */
export const describeWithChromium = spawnSync(PROGRAM, ['--version']).status === 0 ? describe : describe.skip;

export interface TestPage {
  readonly origin: string;
  /**
   * Runs a module in the page; it may import packages. Resolves with what it hands to `report(value)`,
   * or rejects with what it threw.
   */
  run(script: string): Promise<unknown>;
  close(): Promise<void>;
}

interface Report {
  readonly value?: unknown;
  readonly error?: string;
}

/** A site on a free port, whose only page is the script that runs. */
export async function startPage(): Promise<TestPage> {
  let bundle = '';
  let settle: (report: Report) => void = () => undefined;
  const server = createServer((req, res) => {
    if (req.method === 'POST') {
      let text = '';
      req.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      req.on('end', () => {
        res.end();
        settle(JSON.parse(text) as Report);
      });
    } else if (req.url === '/script.js') {
      res.writeHead(200, { 'content-type': 'text/javascript' }).end(bundle);
    } else {
      res
        .writeHead(200, { 'content-type': 'text/html' })
        .end('<script type="module" src="/script.js"></script>');
    }
  }).listen(0, 'localhost');
  await once(server, 'listening');
  const origin = `http://localhost:${String((server.address() as AddressInfo).port)}`;

  return {
    origin,
    async run(script) {
      bundle = bundled(script);
      const report = new Promise<Report>((resolve) => {
        settle = resolve;
      });
      const close = openBrowser(origin);
      try {
        const { value, error } = await report;
        if (error !== undefined) throw new Error(error);
        return value;
      } finally {
        await close();
      }
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function bundled(script: string): string {
  const contents = `
    const tell = (report) => fetch('/', { method: 'POST', body: JSON.stringify(report) });
    const report = (value) => tell({ value });
    try { await (async () => { ${script} })(); } catch (error) { await tell({ error: String(error) }); }`;
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
  });
  return outputFiles[0]?.text ?? '';
}

/** Ends it with all its processes. */
function openBrowser(url: string): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'chromium-'));
  const flags = ['--headless=new', '--disable-gpu', '--disable-dev-shm-usage', `--user-data-dir=${folder}`];
  // Its sandbox does not run as root; the page is the test's own.
  if (process.getuid?.() === 0) flags.push('--no-sandbox');
  const browser = spawn(PROGRAM, [...flags, url], { stdio: 'ignore', detached: true });
  return async () => {
    const ended = once(browser, 'exit');
    if (browser.pid !== undefined) process.kill(-browser.pid, 'SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
}
