/** The ways in which a network may cut bytes into reads. */

import type { ByteText } from '../../src/core/stream.ts';

export interface Chunking {
  readonly name: string;
  readonly pieces: readonly ByteText[];
}

/** Beyond this many bytes, two-way splits are taken at a stride: the time would grow with the square. */
const ALL_SPLITS_UP_TO = 1500;
const RANDOM_CUTS = 40;

export function* chunkingsOf(bytes: string): Generator<Chunking> {
  yield { name: 'whole', pieces: [bytes as ByteText] };
  yield { name: 'a record a read', pieces: (bytes.match(/[^\n]*\n|[^\n]+$/g) ?? []) as ByteText[] };
  yield { name: 'a byte a read', pieces: Array.from(bytes) as ByteText[] };
  const stride = bytes.length <= ALL_SPLITS_UP_TO ? 1 : 7;
  for (let at = 1; at < bytes.length; at += stride) {
    yield {
      name: `two reads, cut at ${String(at)}`,
      pieces: [bytes.slice(0, at), bytes.slice(at)] as ByteText[],
    };
  }
  for (let seed = 1; seed <= RANDOM_CUTS; seed++) {
    yield { name: `random cuts, seed ${String(seed)}`, pieces: randomCuts(bytes, seed) };
  }
}

function randomCuts(bytes: string, seed: number): ByteText[] {
  const pieces: ByteText[] = [];
  let state = seed * 2654435761;
  for (let at = 0; at < bytes.length;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const length = 1 + ((state >>> 8) % 97);
    pieces.push(bytes.slice(at, at + length) as ByteText);
    at += length;
  }
  return pieces;
}
