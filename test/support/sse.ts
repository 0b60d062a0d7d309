/** Reads a server-sent event stream as a strict client does. */

import { createParser } from 'eventsource-parser';

export interface ReadStream {
  /** Parsed payloads in order, '[DONE]' as it stands. */
  readonly events: readonly unknown[];
  /** Comment lines without their colon. */
  readonly comments: readonly string[];
  /** The text of all deltas together. */
  readonly text: string;
  readonly error: { readonly message: string; readonly code: string | null } | undefined;
  readonly isDone: boolean;
}

/** Reads to the end. Rejects when the body breaks. */
export async function readStream(response: Response): Promise<ReadStream> {
  return parseStream(await openStream(response).rest());
}

/** The text of a whole stream, taken apart. */
export function parseStream(text: string): ReadStream {
  const events: unknown[] = [];
  const comments: string[] = [];
  const parser = createParser({
    onEvent: ({ data }) => {
      events.push(data === '[DONE]' ? data : (JSON.parse(data) as unknown));
    },
    onComment: (comment) => {
      comments.push(comment);
    },
  });
  parser.feed(text);
  const chunks = events.filter((event) => event !== '[DONE]') as Chunk[];
  return {
    events,
    comments,
    text: chunks.map(({ choices }) => choices?.[0]?.delta?.content ?? '').join(''),
    error: chunks.find(({ error }) => error)?.error,
    isDone: events.at(-1) === '[DONE]',
  };
}

interface Chunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly error?: { readonly message: string; readonly code: string | null };
}

/** A stream that is read in steps, so that a test can act between them. */
export interface OpenStream {
  /** Reads until this text was seen, and gives all that was seen so far. */
  until(text: string): Promise<string>;
  /** Reads to the end, and gives all of it. */
  rest(): Promise<string>;
}

export function openStream(response: Response): OpenStream {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let seen = '';
  /** False at the end. */
  async function read(): Promise<boolean> {
    const { value, done } = await reader.read();
    seen += decoder.decode(value, { stream: !done });
    return !done;
  }
  return {
    async until(text) {
      while (!seen.includes(text)) {
        if (!(await read())) throw new Error(`the stream ended without ${text}: ${seen}`);
      }
      return seen;
    },
    async rest() {
      while (await read());
      return seen;
    },
  };
}
