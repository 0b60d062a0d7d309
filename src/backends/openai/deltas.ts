/** One delta of a compatible server → deltas of one thing each: thinking, text, calls. Empty ones are silence. */

import { isJsonObject, type JsonObject } from '../../core/json.ts';
import type { AnswerShape } from '../../core/kind.ts';
import { reasoningFields } from '../../core/reasoning.ts';
import { reasoningOf, toLogprobs } from './normalise.ts';
import { createToolCallPieces, type ToolCallPieces } from './tool-calls.ts';

/** What was sent of one choice so far. */
export interface ChoiceState {
  readonly index: number;
  /** undefined before the first: most answers have none. */
  calls: ToolCallPieces | undefined;
  hasRole: boolean;
  hasFunctionCall: boolean;
  hasFinished: boolean;
}

export interface Piece {
  readonly delta: JsonObject;
  readonly logprobs: JsonObject | null;
}

const TEXTS = ['content', 'refusal'];
const REST = ['audio', 'annotations', 'function_call'];

/** `part`: a choice of a chunk. */
export function toPieces(part: JsonObject, state: ChoiceState, shape: AnswerShape): Piece[] {
  const delta = isJsonObject(part.delta) ? part.delta : {};
  const pieces: Piece[] = [];
  const say = (said: JsonObject, logprobs: JsonObject | null = null): void => {
    pieces.push({ delta: said, logprobs });
  };

  const thinking = reasoningOf(delta);
  const shown = thinking === '' ? {} : { ...reasoningFields(shape.reasoningKeys, thinking) };
  if (Object.keys(shown).length > 0) say(shown);
  const texts = TEXTS.filter((key) => typeof delta[key] === 'string' && delta[key] !== '');
  // They describe the text: they are said with it, and once.
  const logprobs = shape.logprobs ? toLogprobs(part.logprobs) : null;
  texts.forEach((key, i) => {
    say({ [key]: delta[key] }, i === 0 ? logprobs : null);
  });
  for (const key of REST) if (delta[key] !== null && delta[key] !== undefined) say({ [key]: delta[key] });
  if (isJsonObject(delta.function_call)) state.hasFunctionCall = true;
  const given = Array.isArray(delta.tool_calls) ? delta.tool_calls : [];
  if (given.length > 0) {
    state.calls ??= createToolCallPieces(shape);
    const calls = state.calls.normalise(given);
    if (calls.length > 0) say({ tool_calls: calls });
  }
  // Half a character, or the end: a token without a text of its own.
  const isSilent = pieces.length === 0 && thinking === '' && given.length === 0;
  if (isSilent && hasEntries(logprobs)) say({ content: '' }, logprobs);
  return pieces;
}

function hasEntries(logprobs: JsonObject | null): boolean {
  return Object.values(logprobs ?? {}).some((list) => Array.isArray(list) && list.length > 0);
}
