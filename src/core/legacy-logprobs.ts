/** Token probabilities as text completions list them: four arrays side by side. */

import { isJsonObject, type JsonObject } from './json.ts';

export interface LegacyLogprobs {
  readonly tokens: string[];
  readonly token_logprobs: number[];
  /** The alternatives of each token, itself among them. */
  readonly top_logprobs: Record<string, number>[];
  /** Where each token begins, in characters. */
  readonly text_offset: number[];
}

/** OpenAI's floor for a token that could not be. */
const LEAST_LOGPROB = -9999;

/** `entries`: a chat answer's. `offset`: of the first of them. */
export function toLegacyLogprobs(entries: readonly unknown[], offset: number): LegacyLogprobs {
  const lists: LegacyLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
  let at = offset;
  for (const entry of entries.filter(isJsonObject)) {
    const alternatives = Array.isArray(entry.top_logprobs) ? entry.top_logprobs.filter(isJsonObject) : [];
    lists.tokens.push(nameOf(entry));
    lists.token_logprobs.push(logprobOf(entry));
    lists.top_logprobs.push(
      Object.fromEntries([...alternatives, entry].map((each) => [nameOf(each), logprobOf(each)])),
    );
    lists.text_offset.push(at);
    at += countCharacters(tokenOf(entry));
  }
  return lists;
}

/** Characters and not UTF-16 units: an offset counts an emoji once. */
export function countCharacters(text: string): number {
  return Array.from(text).length;
}

/** A piece of a character has no text of its own; OpenAI writes its bytes. */
function nameOf(entry: JsonObject): string {
  const token = tokenOf(entry);
  if (!token.includes('\ufffd') || !Array.isArray(entry.bytes)) return token;
  return `bytes:${entry.bytes.map((byte) => `\\x${Number(byte).toString(16).padStart(2, '0')}`).join('')}`;
}

function tokenOf({ token }: JsonObject): string {
  return typeof token === 'string' ? token : '';
}

function logprobOf({ logprob }: JsonObject): number {
  return typeof logprob === 'number' ? Math.max(LEAST_LOGPROB, Math.min(0, logprob)) : LEAST_LOGPROB;
}
