#!/usr/bin/env node
// autocannon against the gateway in front of its own demo backend: the whole program as it is shipped, with
// nothing else installed. `node bench/load-test.mjs [--seconds 10] [--connections 50] [--build dist]`

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import { DEFAULT_BUILD, ensureBuild } from './runner/build.mjs';
import { bundle } from './runner/bundle.mjs';
import { findFreePort } from './runner/network.mjs';
import { readLines, start } from './runner/processes.mjs';
import { gatewayEnvironment, launch } from './runner/servers.mjs';
import { format, toTable } from './runner/tables.mjs';
import { rssOf } from './runner/usage.mjs';

const WARM_UP_SECONDS = 2;
const MEMORY_POLL_MS = 250;

const KINDS = [
  { name: 'not streamed', isStream: false, isComplete: (body) => body.includes('"finish_reason":"stop"') },
  { name: 'streamed', isStream: true, isComplete: (body) => body.endsWith('data: [DONE]\n\n') },
];

function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '10' },
      connections: { type: 'string', default: '50' },
      build: { type: 'string', default: DEFAULT_BUILD },
    },
  });
  const [seconds, connections] = [values.seconds, values.connections].map(Number);
  if (![seconds, connections].every((value) => Number.isInteger(value) && value > 0)) {
    throw new Error('--seconds and --connections take whole numbers from 1.');
  }
  return { seconds, connections, build: values.build };
}

/** The demo is started here, so that a real server on this machine is not tested by accident. */
async function startDemo() {
  const program = await bundle(new URL('./load-test/demo-backend.ts', import.meta.url));
  for await (const { url } of readLines(start([process.execPath, program]))) return url;
  throw new Error('the demo backend did not start');
}

async function startGateway(program, backendUrl, directory) {
  const port = await findFreePort();
  const env = gatewayEnvironment(port, { OLLAMA_BASE_URL: backendUrl });
  return launch({ name: 'gateway', port, command: [process.execPath, program], env, directory });
}

/** Requests one after the other on every connection; every answer must be whole. */
function cannonade({ port }, { isStream, isComplete }, connections, seconds) {
  return autocannon({
    url: `http://127.0.0.1:${port}/v1/chat/completions`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'demo',
      messages: [{ role: 'user', content: 'Why is the sky blue?' }],
      stream: isStream,
    }),
    connections,
    duration: seconds,
    verifyBody: isComplete,
  });
}

/** KB of memory while something runs: the most, and what it is at the end. */
async function watchMemory({ pid }, work) {
  let most = rssOf(pid);
  const timer = setInterval(() => (most = Math.max(most, rssOf(pid))), MEMORY_POLL_MS);
  const result = await work;
  clearInterval(timer);
  return { result, most, atEnd: rssOf(pid) };
}

async function main({ seconds, connections, build }) {
  const { program } = ensureBuild(build);
  const directory = mkdtempSync(join(tmpdir(), 'gateway-load-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const gateway = await startGateway(program, await startDemo(), directory);
  const lines = [];
  let wrong = 0;
  for (const kind of KINDS) {
    await cannonade(gateway, kind, connections, WARM_UP_SECONDS);
    const { result, most, atEnd } = await watchMemory(
      gateway,
      cannonade(gateway, kind, connections, seconds),
    );
    const { latency, requests, errors, non2xx, mismatches } = result;
    wrong += errors + non2xx + mismatches;
    const figures = [latency.p50, latency.p99, requests.average, most / 1024, atEnd / 1024];
    lines.push([kind.name, ...figures.map(format), `${errors} / ${non2xx} / ${mismatches}`]);
  }
  const header = [
    'answers',
    'p50 ms',
    'p99 ms',
    'requests/s',
    'MB at most',
    'MB after',
    'errors / not 2xx / cut',
  ];
  process.stdout.write(
    `${connections} connections, ${seconds} s each, demo backend, Node ${process.version}\n\n`,
  );
  process.stdout.write(`${toTable(header, lines)}\n`);
  return wrong === 0;
}

try {
  process.exit((await main(readOptions(process.argv.slice(2)))) ? 0 : 1);
} catch (error) {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.exit(1);
}
