#!/usr/bin/env node
// Microseconds that limits add to one request, admission and settlement together. The gateway's code is
// bundled from src on the fly. `node bench/limits.mjs [redis://localhost:6379]`

import cluster from 'node:cluster';
import { pathToFileURL } from 'node:url';
import { bundle } from './runner/bundle.mjs';
import { median } from './runner/statistics.mjs';
import { format, toTable } from './runner/tables.mjs';

const WARM_UPS = 3;
const ROUNDS = 15;
const REQUESTS = 5000;

const bundled = await bundle(new URL('./micro/limit-ways.ts', import.meta.url));
const { answerWorkers, waysOf } = await import(pathToFileURL(bundled).href);

/** Microseconds a request, one after the other. */
async function time(way) {
  const before = performance.now();
  for (let i = 0; i < REQUESTS; i++) await way();
  return ((performance.now() - before) * 1000) / REQUESTS;
}

async function measure() {
  const { ways, close } = waysOf(process.argv[2]);
  const timings = new Map(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < WARM_UPS + ROUNDS; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const microseconds = await time(way);
      if (round >= WARM_UPS) timings.get(name).push(microseconds);
    }
  }
  close();
  const rows = [...timings].map(([name, own]) => [
    name,
    format(median(own)),
    `${format(Math.min(...own))} … ${format(Math.max(...own))}`,
  ]);
  process.stdout.write(`### limits: what they add to a request, Node ${process.version}\n\n`);
  process.stdout.write(`${toTable(['limits', 'µs/request', 'least … most'], rows)}\n`);
}

// The process that measures is a worker, as one with a primary to ask.
if (cluster.isPrimary) {
  answerWorkers();
  cluster.fork().on('exit', (code) => process.exit(code));
} else {
  await measure();
  process.exit(0);
}
