/** Calls on the sink → OpenAI's text completion: delta events, or one body when it is complete. */

import type { CompletionShape } from '../../core/completion.ts';
import { GatewayError } from '../../core/errors.ts';
import { countCharacters, toLegacyLogprobs, type LegacyLogprobs } from '../../core/legacy-logprobs.ts';
import type { DecodeLimits } from '../../core/kind.ts';
import type { ByteText, Encoder, FinishReason, JsonText, Usage } from '../../core/stream.ts';
import { fromJsonText } from '../../wire/json-string.ts';
import { decodeUtf8, encodeUtf8 } from '../../wire/utf8.ts';
import { toUsageObject } from '../usage.ts';

export function createEncoder(shape: CompletionShape, limits: DecodeLimits): Encoder {
  return shape.isStream ? createStreamEncoder(shape) : createResultEncoder(shape, limits);
}

/** Parts of one answer may come from several models, and then have no fingerprint together. */
export type Head = Pick<CompletionShape, 'id' | 'created' | 'model'> & {
  readonly fingerprint?: string | undefined;
};

/** The fields that all chunks and the whole answer have. */
function headOf({ id, created, model, fingerprint }: Head): object {
  return {
    id,
    object: 'text_completion',
    created,
    model,
    ...(fingerprint !== undefined && { system_fingerprint: fingerprint }),
  };
}

function toEvent(payload: object): string {
  return `data: ${encodeUtf8(JSON.stringify(payload))}\n\n`;
}

/** A model that continues text neither thinks aloud nor calls tools. */
const TEXT_ONLY = {
  reasoning: (): void => undefined,
  toolCalls: (): void => undefined,
  toolArguments: (): void => undefined,
};

function createStreamEncoder(shape: CompletionShape): Encoder {
  let out = '';
  /** The prompt, until it was said before the first text. */
  let echo = shape.echo;
  const places = createPlaces(shape);

  function emit(text: string, logprobs: LegacyLogprobs | null, reason: FinishReason | null): void {
    const choice = { text: echo + text, index: shape.index, logprobs, finish_reason: reason };
    echo = '';
    out += toEvent({ ...headOf(shape), choices: [choice], ...(shape.includeUsage && { usage: null }) });
  }

  return {
    ...TEXT_ONLY,
    text(literal, logprobs) {
      const text = fromJsonText(literal);
      emit(text, places(text, logprobs), null);
    },
    finish(reason, usage) {
      emit('', null, reason);
      if (shape.isPart) return;
      if (shape.includeUsage && usage) out += toUsageEvent(shape, usage);
      out += 'data: [DONE]\n\n';
    },
    take() {
      const text = out;
      out = '';
      return text as ByteText;
    },
  };
}

/** The extra last chunk that a client asked for with `stream_options.include_usage`. */
export function toUsageEvent(head: Head, usage: Usage): string {
  return toEvent({ ...headOf(head), choices: [], usage: toUsageObject(usage) });
}

/** Nothing is sent before the end, so until then another backend may still be tried. */
function createResultEncoder(shape: CompletionShape, limits: DecodeLimits): Encoder {
  let out = '';
  const places = createPlaces(shape);
  let text = shape.echo;
  let size = 0;
  let lists: LegacyLogprobs | null = null;

  function hold(literal: JsonText, logprobs = '' as ByteText): void {
    size += literal.length + logprobs.length;
    if (size <= limits.maxResponseBytes) return;
    throw new GatewayError('upstream_invalid_response', {
      message: `The answer is larger than ${String(limits.maxResponseBytes)} bytes. Ask for a stream instead.`,
    });
  }

  return {
    ...TEXT_ONLY,
    text(literal, logprobs) {
      hold(literal, logprobs);
      const piece = fromJsonText(literal);
      lists = joinLists(lists, places(piece, logprobs));
      text += piece;
    },
    finish(reason, usage) {
      const choice = { text, index: shape.index, logprobs: lists, finish_reason: reason };
      const body = { ...headOf(shape), choices: [choice], ...(usage && { usage: toUsageObject(usage) }) };
      out = encodeUtf8(JSON.stringify(body));
    },
    take() {
      const body = out;
      out = '';
      return body as ByteText;
    },
  };
}

/** The tokens of the next piece of text, with their places in the answer; null when nobody asked. */
type Places = (text: string, logprobs: ByteText | undefined) => LegacyLogprobs | null;

function createPlaces({ logprobs: isAsked, echo }: CompletionShape): Places {
  if (!isAsked) return () => null;
  let next = countCharacters(echo);
  return (text, logprobs) => {
    const offset = next;
    next += countCharacters(text);
    return logprobs === undefined
      ? null
      : toLegacyLogprobs(JSON.parse(decodeUtf8(logprobs)) as unknown[], offset);
  };
}

function joinLists(a: LegacyLogprobs | null, b: LegacyLogprobs | null): LegacyLogprobs | null {
  if (!a || !b) return a ?? b;
  a.tokens.push(...b.tokens);
  a.token_logprobs.push(...b.token_logprobs);
  a.top_logprobs.push(...b.top_logprobs);
  a.text_offset.push(...b.text_offset);
  return a;
}
