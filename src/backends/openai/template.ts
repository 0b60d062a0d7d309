/**
 * The fast path of a stream that is already in OpenAI's format. Servers differ in the keys of a
 * chunk and their order, but within a stream one token's chunk is the next one's with another
 * text in it. So the shape is learned from a chunk that took the slow path: what stood before and
 * after its text, and what stands before and after it in what was sent.
 */

import type { ByteText, JsonText } from '../../core/stream.ts';
import type { Transcript } from '../../core/transcript.ts';
import { endOfJsonString } from '../../wire/json-string.ts';
import { locateJson, type JsonPath } from '../../wire/json-slice.ts';

interface Shape {
  /** The chunk up to the text's opening quote, and from its closing quote on. */
  readonly head: string;
  readonly tail: string;
  /** The event without its literals. */
  readonly pieces: readonly string[];
  /** Text of the answer, and not thinking. */
  readonly isText: boolean;
}

/** Where a token's text may stand. */
const PATHS: readonly JsonPath[] = ['content', 'reasoning_content', 'reasoning'].map((key) => [
  'choices',
  0,
  'delta',
  key,
]);

/** Chunks that never repeat (padding against traffic analysis, timings) are not worth the search. */
const MAX_MISSES = 8;

/** A class, because a token passes here: docs/performance.md. */
export class TokenTemplate {
  #shape: Shape | undefined = undefined;
  #misses = 0;
  readonly #transcript: Transcript | undefined;

  /** `transcript`: hears the text that goes through. */
  constructor(transcript?: Transcript) {
    this.#transcript = transcript;
  }

  /** The event to send for a token's chunk; '' when the chunk is no token of the learned shape. */
  fill(data: ByteText): string {
    const shape = this.#shape;
    if (!shape || !data.startsWith(shape.head)) return '';
    const open = shape.head.length - 1;
    const close = endOfJsonString(data, open + 1);
    // An empty text is not sent, so it has no event.
    if (close <= open + 1) return '';
    if (data.length !== close + shape.tail.length || !data.endsWith(shape.tail)) return '';
    this.#misses = 0;
    const literal = data.slice(open, close + 1);
    if (this.#transcript) {
      if (shape.isText) this.#transcript.add(literal as JsonText);
      else this.#transcript.spoil();
    }
    const { pieces } = shape;
    return pieces.length === 2 ? `${String(pieces[0])}${literal}${String(pieces[1])}` : pieces.join(literal);
  }

  /** Compares a chunk with the events sent for it; learns when only the text was between them. */
  learn(data: ByteText, sent: ByteText): void {
    if (this.#misses++ >= MAX_MISSES) return;
    this.#shape = shapeOf(data, sent) ?? this.#shape;
  }

  forget(): void {
    this.#shape = undefined;
    this.#misses = MAX_MISSES;
  }
}

function shapeOf(data: ByteText, sent: ByteText): Shape | undefined {
  const payload = onlyPayload(sent);
  if (payload === undefined) return undefined;
  for (const path of PATHS) {
    const text = locateJson(data, path);
    if (!text || endOfJsonString(data, text.start + 1) !== text.end - 1 || text.end - text.start < 3)
      continue;
    const pieces = cutOut(payload, data.slice(text.start, text.end));
    if (!pieces) continue;
    return {
      head: data.slice(0, text.start + 1),
      tail: data.slice(text.end - 1),
      pieces,
      isText: path.at(-1) === 'content',
    };
  }
  return undefined;
}

/** The JSON of a single event; undefined when there are more or none. */
function onlyPayload(sent: string): string | undefined {
  if (!sent.startsWith('data: ') || sent.indexOf('\n\n') !== sent.length - 2) return undefined;
  return sent.slice('data: '.length, -2);
}

/** The event around the literals that carry the text; undefined when it carries another text. */
function cutOut(payload: string, literal: string): string[] | undefined {
  const places = PATHS.map((path) => locateJson(payload, path))
    .filter((place) => place !== undefined)
    .sort((a, b) => a.start - b.start);
  if (places.length === 0) return undefined;
  const pieces: string[] = [];
  let from = 0;
  for (const { start, end } of places) {
    // Printed anew the literal may be escaped in another way, so compare what it says.
    if (JSON.parse(payload.slice(start, end)) !== JSON.parse(literal)) return undefined;
    pieces.push(payload.slice(from, start));
    from = end;
  }
  pieces.push(payload.slice(from));
  const last = pieces.length - 1;
  return pieces.map((piece, i) => `${i === 0 ? 'data: ' : ''}${piece}${i === last ? '\n\n' : ''}`);
}
