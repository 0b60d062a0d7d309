/** What was said of an answer so far, for another backend to go on from there. */

import type { JsonText, Usage } from './stream.ts';

/** Longer answers are not kept: they are told to be broken when they break. */
const MAX_BYTES = 1024 * 1024;

/** What is the same on every event of an answer. */
export interface Identity {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly fingerprint: string;
}

export interface Transcript {
  /** As the first event had it. */
  identity: Identity | undefined;
  /** A piece of text went to the client. */
  add(literal: JsonText): void;
  /** Something went to the client that cannot be gone on from: thinking, a call, a second choice. */
  spoil(): void;
  /** Pieces so far: about as many tokens. */
  readonly pieces: number;
  /** One literal of all that was said; undefined when the answer cannot be gone on with. */
  text(): JsonText | undefined;
}

export function createTranscript(): Transcript {
  let said = '';
  let pieces = 0;
  let isSpoiled = false;

  return {
    identity: undefined,
    add(literal) {
      pieces++;
      if (said.length > MAX_BYTES) isSpoiled = true;
      if (!isSpoiled) said += literal.slice(1, -1);
    },
    spoil() {
      isSpoiled = true;
      said = '';
    },
    get pieces() {
      return pieces;
    },
    text: () => (isSpoiled ? undefined : (`"${said}"` as JsonText)),
  };
}

/**
 * The counts of the whole answer, from those of the backend that went on with it: what was said
 * before was a part of its prompt.
 */
export function continuedUsage(usage: Usage, piecesBefore: number): Usage {
  const moved = Math.min(piecesBefore, usage.prompt);
  return { ...usage, prompt: usage.prompt - moved, completion: usage.completion + piecesBefore };
}
