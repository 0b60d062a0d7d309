/** Text completions of OpenAI-compatible servers: the client's own request, and answers put right. */

import { createCollector } from '../../core/collect.ts';
import type {
  CompletionBody,
  CompletionMethods,
  CompletionRequest,
  CompletionShape,
} from '../../core/completion.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { countCharacters } from '../../core/legacy-logprobs.ts';
import type { Target } from '../../core/fleet.ts';
import type { DecodeLimits } from '../../core/kind.ts';
import type { UpstreamRequest } from '../../core/upstream.ts';
import {
  modelOf,
  NO_REASONS,
  type ByteText,
  type Converter,
  type Owned,
  type Usage,
} from '../../core/stream.ts';
import { createEventReader } from '../../wire/events.ts';
import { printMembers } from '../../wire/json-slice.ts';
import { encodeUtf8 } from '../../wire/utf8.ts';
import { choicesOf, indexOf, invalidAnswer, toAnswer, toChoice } from './completion-choice.ts';
import { eventFailure } from './failure.ts';
import { toUsage, toUsageObject } from './normalise.ts';
import { memberOf, overruledParams } from './overruled.ts';

/** How compatible servers differ from OpenAI in what they accept. */
export interface CompletionDialect {
  /** Arrays of tokens as prompts. */
  readonly takesTokens: boolean;
  /** `echo`, `suffix` and `best_of`. llama.cpp refuses all three, even as null. */
  readonly isFull: boolean;
}

export function createCompletionMethods({ takesTokens, isFull }: CompletionDialect): CompletionMethods {
  return {
    needsTexts: ({ prompts, body }) =>
      (!takesTokens || (body.echo === true && !isFull)) &&
      prompts.some((prompt) => typeof prompt !== 'string'),
    // All others are passed on; what the server makes of them is its own.
    ignoredParams: ({ body }, target) => overruledParams(target, memberOf(body)),
    toRequest: (request, target) => toRequest(request, target, { takesTokens, isFull }),
    createConverter(given, limits) {
      const shape = isFull ? { ...given, echo: '' } : given;
      return shape.isStream ? createStream(shape, limits) : createWhole(shape, limits);
    },
  };
}

function toRequest(
  { body, prompts, texts, members }: CompletionRequest,
  target: Target,
  { takesTokens, isFull }: CompletionDialect,
): UpstreamRequest {
  const own = new Map(members);
  if (!isFull) leaveOut(own, body);
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

/** `echo` is the gateway's to do there. Throws GatewayError (400) for what nobody does. */
function leaveOut(members: Map<string, string>, body: CompletionBody): void {
  const isChoosing = (body.best_of ?? 1) > (body.n ?? 1);
  const [param] = [...(isChoosing ? ['best_of'] : []), ...(body.suffix ? ['suffix'] : [])];
  if (param !== undefined) {
    throw new GatewayError('unsupported_parameter', {
      message: `Unsupported parameter: '${param}' is not supported with this model. Its backend does not know it. Leave it out.`,
      param,
    });
  }
  for (const name of ['best_of', 'suffix', 'echo']) members.delete(name);
}

function createWhole(shape: CompletionShape, limits: DecodeLimits): Converter {
  return createCollector(limits, 'Ask for a stream instead.', (received) => {
    const answer = toAnswer(received);
    const choices = choicesOf(answer).map((choice, i) => {
      const { text, ...rest } = toChoice(choice, i, shape, countCharacters(shape.echo));
      return { text: shape.echo + text, ...rest };
    });
    if (choices.length === 0) throw invalidAnswer();
    if (choices.some(({ finish_reason: reason }) => reason === null)) throw incompleteAnswer(1);
    const usage = isJsonObject(answer.usage) ? toUsage(answer.usage) : null;
    const body = {
      ...headOf(shape),
      choices,
      ...(usage && isJsonObject(answer.usage) && { usage: toUsageObject(answer.usage, usage) }),
    };
    const finishReasons = choices.flatMap((choice) => choice.finish_reason ?? []);
    return { bytes: encodeUtf8(JSON.stringify(body)), usage, model: modelOf(answer), finishReasons };
  });
}

function createStream(shape: CompletionShape, limits: DecodeLimits): Converter {
  const finished = new Set<number>();
  /** Of the choices that were begun, in characters; counted where the places of tokens are asked for. */
  const lengths = new Map<number, number>();
  let out = '';
  let records = 0;
  let usageObject: JsonObject | undefined;

  const events = createEventReader(limits.maxRecordBytes, {
    plain: () => false,
    event(data, name) {
      if (converter.isDone) return;
      records++;
      if (name === 'error') throw eventFailure(data, 'prompt');
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
    if (converter.model === '') converter.model = modelOf(chunk);
    for (const given of choicesOf(chunk)) takeChoice(given);
    converter.hasFinished = finished.size >= shape.choices;
  }

  function takeChoice(given: JsonObject): void {
    const index = indexOf(given, 0, shape);
    const said = lengths.get(index);
    const length = said ?? countCharacters(shape.echo);
    const choice = toChoice(given, 0, shape, length);
    const isSilent = choice.text === '' && choice.logprobs === null && choice.finish_reason === null;
    if (finished.has(index) || isSilent) return;
    converter.hasSpoken = true;
    // The prompt, where it is to be echoed, stands before the first text.
    emit([said === undefined ? { ...choice, text: shape.echo + choice.text } : choice], null);
    lengths.set(index, shape.logprobs ? length + countCharacters(choice.text) : length);
    if (choice.finish_reason === null) return;
    finished.add(index);
    converter.finishReasons = [...converter.finishReasons, choice.finish_reason];
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
    model: '',
    finishReasons: NO_REASONS,
  };
  return converter;
}

function headOf({ id, created, model, fingerprint }: CompletionShape): JsonObject {
  return { id, object: 'text_completion', created, model, system_fingerprint: fingerprint };
}

function incompleteAnswer(records: number): GatewayError {
  return new GatewayError('upstream_incomplete_response', {
    message:
      records === 0
        ? 'The upstream server closed the stream without a response.'
        : 'The upstream server closed the stream before the response was complete.',
  });
}
