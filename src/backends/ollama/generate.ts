/** Text completions by Ollama's native POST /api/generate. */

import type { GenerateRequest } from 'ollama';
import type { CompletionBody, CompletionMethods, CompletionRequest } from '../../core/completion.ts';
import { joinConverter } from '../../core/convert.ts';
import { GatewayError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';
import type { DecodeLimits } from '../../core/kind.ts';
import type { UpstreamRequest } from '../../core/upstream.ts';
import { modelOf, NO_REASONS, type ChatSink, type Decoder, type Owned } from '../../core/stream.ts';
import { toJsonText } from '../../wire/json-string.ts';
import { createLineReader } from '../../wire/lines.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';
import { incompleteAnswer } from './failure.ts';
import { toLogprobs } from './logprobs.ts';
import { option, STREAM_OPTIONS } from './chat-uses.ts';
import { countsOf, finishReason, isLast, parseRecord } from './record.ts';
import { COMPLETION_PARAMETERS, settleOptions, type SettledOptions } from './settle.ts';
import { withoutThinking } from './think.ts';
import { refuseUnsupported, UNSUPPORTED } from './unsupported.ts';
import { unusedOf, type Use } from './uses.ts';

export const ollamaCompletion: CompletionMethods = {
  needsTexts: ({ prompts }) => prompts.some((prompt) => typeof prompt !== 'string'),
  ignoredParams({ body }, target) {
    const { lost } = plan(body, target);
    return [...unusedOf(body, COMPLETION_USES, { target }), ...lost];
  },
  toRequest,
  createConverter(_shape, limits, createEncoder) {
    const encoder = createEncoder();
    return joinConverter(createGenerateDecoder(encoder, limits), encoder);
  },
};

/** Mapped or refused here, or emulated by the surface. */
const HEEDED = [
  'model',
  'prompt',
  'suffix',
  'stream',
  'max_tokens',
  'temperature',
  'top_p',
  'n',
  'best_of',
  'echo',
  'logprobs',
  'seed',
  'stop',
  'frequency_penalty',
  'presence_penalty',
  ...Object.keys(UNSUPPORTED),
];

const COMPLETION_USES: Use<{ readonly target: Target }> = {
  members: {
    ...Object.fromEntries(HEEDED.map((name) => [name, 'whole'])),
    stream_options: STREAM_OPTIONS,
    options: { members: {}, others: option },
  },
  others: option,
};

function plan(body: CompletionBody, target: Target): SettledOptions & { readonly lost: readonly string[] } {
  const lost: string[] = [];
  return { ...settleOptions(body, target, COMPLETION_PARAMETERS, lost), lost };
}

/**
 * Raw by default: OpenAI continues the text as it is, and editors send their own markers. A suffix
 * needs the model's template, and so do models of which the operator said so. There the model is
 * not to think first: what it thinks is not part of the text. `truncate: false` as with chats.
 */
function toRequest({ body, prompts, texts }: CompletionRequest, target: Target): UpstreamRequest {
  refuseUnsupported(body);
  refuseUnable(body, target);
  const prompt = String((texts ?? prompts)[0]);
  if (prompt === '') throw emptyPrompt();
  const { options, fields } = plan(body, target);
  const isTemplated = hasSuffix(body) || target.completionTemplate;
  const think = target.options.think ?? (isTemplated ? withoutThinking(target) : undefined);
  const request = {
    model: target.upstreamModel,
    prompt,
    ...(hasSuffix(body) && { suffix: String(body.suffix) }),
    ...(!isTemplated && { raw: true }),
    ...(think !== undefined && { think }),
    ...(typeof body.logprobs === 'number' && { logprobs: true, top_logprobs: body.logprobs }),
    stream: true,
    truncate: false,
    ...(Object.keys(options).length > 0 && { options }),
    ...fields,
  } satisfies Omit<GenerateRequest, 'think'> & JsonObject;
  return { method: 'POST', path: '/api/generate', body: JSON.stringify(request) };
}

function hasSuffix({ suffix }: CompletionBody): boolean {
  return typeof suffix === 'string' && suffix !== '';
}

/** Throws GatewayError (400) for what no model of Ollama can do, or this one cannot. */
function refuseUnable(body: CompletionBody, { model }: Target): void {
  const capabilities = model?.capabilities;
  const refuse = (param: string, reason: string): GatewayError =>
    new GatewayError('unsupported_parameter', {
      message: `Unsupported parameter: '${param}' is not supported with this model. ${reason}`,
      param,
    });
  if (body.max_tokens === 0) {
    throw refuse('max_tokens', 'Its backend would take 0 for no limit. Ask for 1 or more.');
  }
  if (typeof body.best_of === 'number' && body.best_of > (body.n ?? 1)) {
    throw refuse('best_of', 'Its backend cannot rank answers. Ask for all of them with n.');
  }
  if (capabilities && !capabilities.includes('completion')) {
    throw refuse('model', 'It does not continue texts. Choose another.');
  }
  if (hasSuffix(body) && capabilities && !capabilities.includes('insert')) {
    throw refuse('suffix', 'It cannot fill in the middle. Choose one that can, or leave it out.');
  }
}

/** Ollama takes it for an order to load the model, and says nothing. */
function emptyPrompt(): GatewayError {
  return new GatewayError('invalid_request', {
    message:
      "Invalid 'prompt': string too short. Expected a string with length at least 1: the backend of this model cannot begin from nothing.",
    param: 'prompt',
    code: 'empty_string',
  });
}

/** Every record is parsed: editors ask for a line at a time, and not thousands at once. */
function createGenerateDecoder(sink: ChatSink, limits: DecodeLimits): Decoder {
  let records = 0;
  const lines = createLineReader(limits.maxRecordBytes, (line) => {
    if (decoder.isDone || line.trim() === '') return;
    const record = parseRecord(decodeUtf8(line), 'prompt');
    records++;
    // Of models that cannot be kept from thinking: nothing for the client, but a sign of life.
    if (record.thinking) decoder.hasSpoken = true;
    if (typeof record.response === 'string' && record.response !== '') {
      decoder.hasSpoken = true;
      sink.text(toJsonText(record.response), toLogprobs(record.logprobs));
    }
    if (!isLast(record)) return;
    decoder.hasFinished = true;
    decoder.isDone = true;
    decoder.usage = countsOf(record);
    decoder.model = modelOf(record);
    const reason = finishReason(record.done_reason, false);
    decoder.finishReasons = [reason];
    sink.finish(reason, decoder.usage);
  });
  const decoder: Owned<Decoder> = {
    push(bytes) {
      const before = records;
      lines.push(bytes);
      return records !== before;
    },
    end() {
      lines.end();
      if (!decoder.isDone) throw incompleteAnswer(records);
    },
    hasSpoken: false,
    hasFinished: false,
    isDone: false,
    usage: null,
    model: '',
    finishReasons: NO_REASONS,
  };
  return decoder;
}
