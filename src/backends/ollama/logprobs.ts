/** Ollama's token probabilities → OpenAI's. */

import type { ByteText } from '../../core/stream.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { encodeUtf8 } from '../../wire/utf8.ts';

interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[] | null;
}

/** OpenAI's floor for a token that could not be. */
const LEAST_LOGPROB = -9999;

/** A JSON array of OpenAI's entries, all four keys in each; undefined when there are none. */
export function toLogprobs(value: unknown): ByteText | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const entries = value.filter(isJsonObject).map((entry) => ({
    ...toEntry(entry),
    top_logprobs: Array.isArray(entry.top_logprobs)
      ? entry.top_logprobs.filter(isJsonObject).map(toEntry)
      : [],
  }));
  return encodeUtf8(JSON.stringify(entries));
}

function toEntry(entry: JsonObject): TokenLogprob {
  const token = typeof entry.token === 'string' ? entry.token : '';
  const logprob = typeof entry.logprob === 'number' ? entry.logprob : LEAST_LOGPROB;
  return {
    token,
    logprob: Math.max(LEAST_LOGPROB, Math.min(0, logprob)),
    bytes: Array.isArray(entry.bytes) ? entry.bytes.filter(Number.isInteger) : utf8Bytes(token),
  };
}

/** null when the token is a piece of a character, whose bytes are lost. */
function utf8Bytes(token: string): number[] | null {
  if (token.includes('\ufffd')) return null;
  return Array.from(encodeUtf8(token), (byte) => byte.charCodeAt(0));
}
