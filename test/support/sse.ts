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
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of response.body ?? [])
    parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
  return summarise(events, comments);
}

function summarise(events: readonly unknown[], comments: readonly string[]): ReadStream {
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

/** A reader over the raw text of a stream that is still going on. */
export function openStream(response: Response): {
  next(): Promise<string>;
  until(text: string): Promise<string>;
} {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let seen = '';
  async function next(): Promise<string> {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the stream ended after: ${seen}`);
    const text = decoder.decode(value, { stream: true });
    seen += text;
    return text;
  }
  return {
    next,
    async until(text) {
      while (!seen.includes(text)) await next();
      return seen;
    },
  };
}
