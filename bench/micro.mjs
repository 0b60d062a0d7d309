#!/usr/bin/env node
// Nanoseconds of CPU per line of a backend, from the bytes of a read to the bytes for the client, without
// any network. The gateway's code is bundled from src on the fly. `node bench/micro.mjs`

import { pathToFileURL } from 'node:url';
import { ollamaReads, openaiReads, TEXT } from './micro/lines.mjs';
import { parseAndStringify, transformStreams } from './micro/reference-ways.mjs';
import { bundle } from './runner/bundle.mjs';
import { median } from './runner/statistics.mjs';
import { format, toTable } from './runner/tables.mjs';

const WARM_UPS = 5;
const ROUNDS = 25;
/** Streams a way converts in one round. */
const STREAMS = 20;

/** A way that says something else is not worth measuring. */
async function check({ name, way, reads, encoding }) {
  const pieces = [];
  await way(reads, (piece) => pieces.push(Buffer.from(piece, encoding)));
  const events = Buffer.concat(pieces).toString().split('\n\n').slice(0, -2);
  const chunks = events.map((event) => JSON.parse(event.slice('data: '.length)));
  const text = chunks.map(({ choices }) => choices[0].delta.content ?? '').join('');
  if (text !== TEXT) throw new Error(`${name} says another text`);
}

/** Nanoseconds of CPU a line: what other programs take does not count. */
async function time({ way, reads }) {
  let sent = 0;
  const before = process.cpuUsage();
  for (let i = 0; i < STREAMS; i++) {
    await way(reads, (piece) => {
      sent += piece.length;
    });
  }
  const { user, system } = process.cpuUsage(before);
  if (sent === 0) throw new Error('nothing was sent');
  return ((user + system) * 1000) / (STREAMS * reads.length);
}

const gateway = await import(
  pathToFileURL(await bundle(new URL('./micro/gateway-ways.ts', import.meta.url))).href
);
const ollama = ollamaReads();
const openai = openaiReads();
const ours = [
  { name: 'Ollama, fast path', way: gateway.ollamaFast, reads: ollama },
  { name: 'Ollama, every record parsed', way: gateway.ollamaSlow, reads: ollama },
  { name: 'OpenAI, learned template', way: gateway.openaiTemplate, reads: openai },
  { name: 'OpenAI, every chunk parsed', way: gateway.openaiParsed, reads: openai },
];
const references = [
  { name: 'reference: JSON.parse and JSON.stringify (Ollama)', way: parseAndStringify },
  { name: 'reference: a chain of web TransformStreams (Ollama)', way: transformStreams },
];
// `encoding`: what the pieces become on their way into the socket. Ours hold one byte a character.
const ways = [
  ...ours.map((each) => ({ ...each, encoding: 'latin1' })),
  ...references.map((each) => ({ ...each, reads: ollama, encoding: 'utf8' })),
];
for (const way of ways) await check(way);

const timings = ways.map(() => []);
for (let round = 0; round < WARM_UPS + ROUNDS; round++) {
  for (const [i, way] of ways.entries()) {
    const nanoseconds = await time(way);
    if (round >= WARM_UPS) timings[i].push(nanoseconds);
  }
}
const reference = timings[ways.findIndex(({ way }) => way === parseAndStringify)];
const lines = ways.map(({ name }, i) => {
  const own = timings[i];
  const ratios = own.map((value, round) => reference[round] / value);
  const range = `${format(Math.min(...own))} … ${format(Math.max(...own))}`;
  return [name, format(median(own)), range, format(median(ratios))];
});
const header = ['way', 'CPU ns/line', 'least … most', 'times as fast as parse and stringify'];
process.stdout.write(`### micro: one line of a backend, without network, Node ${process.version}\n\n`);
process.stdout.write(`${toTable(header, lines)}\n`);
