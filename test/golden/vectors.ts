/** Recorded upstream answers with what the client must see, as vectors.json holds them. */

import { readFileSync } from 'node:fs';

export interface Vector {
  readonly id: string;
  readonly title: string;
  /** What the client asked for, as far as it shapes the answer. */
  readonly req?: Readonly<Record<string, unknown>>;
  readonly cfg?: { readonly reasoning?: 'none'; readonly legacy?: boolean; readonly forcedTool?: string };
  /** NDJSON records; `rawLines` are literal text. */
  readonly lines?: readonly unknown[];
  readonly rawLines?: readonly string[];
  readonly framing?: 'utf8-split';
  /** `clean`: the body ends without a terminal record; `reset`: the connection breaks. */
  readonly eof?: 'clean' | 'reset';
  /** An answer with an error status instead of a stream. */
  readonly upstream?: { readonly status: number; readonly body: unknown };
  /** SSE payloads in order, without what is the same in every chunk. */
  readonly events?: readonly (Readonly<Record<string, unknown>> | '[DONE]')[];
  /** An answer that is not a stream. */
  readonly http?: {
    readonly status: number;
    readonly body: unknown;
    readonly headers?: Readonly<Record<string, string>>;
  };
}

interface VectorFile {
  readonly meta: {
    readonly id: string;
    readonly created: number;
    readonly model: string;
    readonly fp: string;
  };
  readonly chat: readonly Vector[];
  readonly more: readonly (Readonly<Record<string, unknown>> & { readonly id: string })[];
}

export const { meta, chat, more } = JSON.parse(
  readFileSync(new URL('./vectors.json', import.meta.url), 'utf8'),
) as VectorFile;
