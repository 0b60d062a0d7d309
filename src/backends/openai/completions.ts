/** Text completions of OpenAI-compatible servers: the client's own request, and answers put right. */

import { createCollector } from '../../core/collect.ts';
import type { CompletionMethods, CompletionRequest, CompletionShape } from '../../core/completion.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';
import type { DecodeLimits, Target, UpstreamRequest } from '../../core/ports.ts';
import type { ByteText, Converter, FinishReason, Owned, Usage } from '../../core/stream.ts';
import { createEventReader } from '../../wire/events.ts';
import { printMembers } from '../../wire/json-slice.ts';
import { decodeUtf8, encodeUtf8 } from '../../wire/utf8.ts';
import { spokenFailure } from './failure.ts';
import { toFinishReason, toUsage, toUsageObject } from './normalise.ts';

export function createCompletionMethods({
  takesTokens,
}: {
  readonly takesTokens: boolean;
}): CompletionMethods {
  return {
    needsTexts: ({ prompts }) => !takesTokens && prompts.some((prompt) => typeof prompt !== 'string'),
    // All of them are passed on; what the server makes of them is its own.
    ignoredParams: () => [],
    toRequest: (request, target) => toRequest(request, target, takesTokens),
    createConverter: (shape, limits) =>
      shape.isStream ? createStream(shape, limits) : createWhole(shape, limits),
  };
}

function toRequest(
  { body, prompts, texts, members }: CompletionRequest,
  target: Target,
  takesTokens: boolean,
): UpstreamRequest {
  const own = new Map(members);
  const given = takesTokens ? prompts : (texts ?? prompts);
  own.set('model', JSON.stringify(target.upstreamModel));
  own.set('prompt', JSON.stringify(given.length === 1 ? given[0] : given));
  if (body.stream === true) {
    // Always asked for: the gateway counts tokens whether or not its client wants to.
    own.set('stream_options', JSON.stringify({ ...body.stream_options, include_usage: true }));
  }
  for (const [name, value] of Object.entries(target.options)) own.set(name, JSON.stringify(value));
  return { method: 'POST', path: '/completions', body: printMembers(own) };
}

function createWhole(shape: CompletionShape, limits: DecodeLimits): Converter {
  return createCollector(limits, 'Ask for a stream instead.', (received) => {
    const answer = toAnswer(received);
    const choices = choicesOf(answer).map((choice, i) => toChoice(choice, i, shape));
    if (choices.length === 0) throw invalidAnswer();
    if (choices.some(({ finish_reason: reason }) => reason === null)) throw incompleteAnswer(1);
    const usage = isJsonObject(answer.usage) ? toUsage(answer.usage) : null;
    const body = {
      ...headOf(shape),
      choices,
      ...(usage && isJsonObject(answer.usage) && { usage: toUsageObject(answer.usage, usage) }),
    };
    return { bytes: encodeUtf8(JSON.stringify(body)), usage };
  });
}

function createStream(shape: CompletionShape, limits: DecodeLimits): Converter {
  const finished = new Set<unknown>();
  let out = '';
  let records = 0;
  let usageObject: JsonObject | undefined;

  const events = createEventReader(limits.maxRecordBytes, {
    plain: () => false,
    event(data) {
      if (converter.isDone) return;
      records++;
      if (data.trim() === '[DONE]') conclude();
      else takeChunk(toAnswer(data));
    },
  });

  function takeChunk(chunk: JsonObject): void {
    if (isJsonObject(chunk.usage)) {
      const usage: Usage = toUsage(chunk.usage);
      converter.usage = usage;
      usageObject = toUsageObject(chunk.usage, usage);
    }
    for (const given of choicesOf(chunk)) {
      const choice = toChoice(given, 0, shape);
      if (finished.has(choice.index) || (choice.text === '' && choice.finish_reason === null)) continue;
      converter.hasSpoken = true;
      emit([choice], null);
      if (choice.finish_reason !== null) finished.add(choice.index);
    }
    converter.hasFinished = finished.size >= shape.choices;
  }

  function emit(choices: readonly object[], usage: JsonObject | null): void {
    const chunk = { ...headOf(shape), choices, ...(shape.includeUsage && { usage }) };
    out += `data: ${encodeUtf8(JSON.stringify(chunk))}\n\n`;
  }

  /** Nothing more will come. Throws when some answer had no end. */
  function conclude(): void {
    if (converter.isDone) return;
    if (!converter.hasFinished) throw incompleteAnswer(records);
    converter.isDone = true;
    if (shape.isPart) return;
    if (shape.includeUsage && usageObject) emit([], usageObject);
    out += 'data: [DONE]\n\n';
  }

  const converter: Owned<Converter> = {
    push(bytes) {
      const before = records;
      events.push(bytes);
      return records !== before;
    },
    end() {
      events.end();
      conclude();
    },
    take() {
      const text = out;
      out = '';
      return text as ByteText;
    },
    hasSpoken: false,
    hasFinished: false,
    isDone: false,
    usage: null,
  };
  return converter;
}

/** Throws GatewayError when it is an error or no answer at all. */
function toAnswer(data: ByteText): JsonObject {
  const answer = parseJson(decodeUtf8(data));
  if (!isJsonObject(answer)) throw invalidAnswer();
  const failure = spokenFailure(answer);
  if (failure) throw failure;
  return answer;
}

function choicesOf({ choices }: JsonObject): JsonObject[] {
  return Array.isArray(choices) ? choices.filter(isJsonObject) : [];
}

interface Choice {
  readonly text: string;
  readonly index: number;
  readonly logprobs: JsonObject | null;
  readonly finish_reason: FinishReason | null;
}

function toChoice(given: JsonObject, position: number, shape: CompletionShape): Choice {
  return {
    text: typeof given.text === 'string' ? given.text : '',
    index: shape.index + (typeof given.index === 'number' ? given.index : position),
    logprobs: isJsonObject(given.logprobs) ? toLogprobs(given.logprobs) : null,
    finish_reason: toFinishReason(given.finish_reason, false, false),
  };
}

/** The four lists that the schema demands and nothing else. */
function toLogprobs({ tokens, token_logprobs, top_logprobs, text_offset }: JsonObject): JsonObject {
  return {
    tokens: tokens ?? [],
    token_logprobs: token_logprobs ?? [],
    top_logprobs: top_logprobs ?? null,
    text_offset: text_offset ?? [],
  };
}

function headOf({ id, created, model, fingerprint }: CompletionShape): JsonObject {
  return { id, object: 'text_completion', created, model, system_fingerprint: fingerprint };
}

function invalidAnswer(): GatewayError {
  return new GatewayError('upstream_invalid_response', {
    message: 'The upstream server sent an invalid response.',
  });
}

function incompleteAnswer(records: number): GatewayError {
  return new GatewayError('upstream_incomplete_response', {
    message:
      records === 0
        ? 'The upstream server closed the stream without a response.'
        : 'The upstream server closed the stream before the response was complete.',
  });
}
