/** Ollama's NDJSON chat stream → calls on a sink. */

import {
  modelOf,
  NO_REASONS,
  type ByteText,
  type ChatSink,
  type Decoder,
  type JsonText,
  type Owned,
  type ToolCall,
  type Usage,
} from '../../core/stream.ts';
import type { DecodeLimits } from '../../core/kind.ts';
import { isJsonObject } from '../../core/json.ts';
import { endOfJsonString, sliceJsonText, toJsonText } from '../../wire/json-string.ts';
import { sliceItems, sliceJson } from '../../wire/json-slice.ts';
import { incompleteAnswer } from './failure.ts';
import { endLines, pushLines, type LineTaker } from '../../wire/lines.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';
import { toLogprobs } from './logprobs.ts';
import { countsOf, finishReason, isLast, parseRecord, type OllamaRecord } from './record.ts';

/*
 * The shape of an ordinary token, as Ollama's Go encoder prints it:
 *   {"model":"…","created_at":"…","message":{"role":"assistant","content":"…"},"done":false}
 * and of a token of thinking, where content is empty and `thinking` follows it.
 */
const MODEL = '{"model":"';
const CREATED = ',"created_at":"';
const CONTENT = '","message":{"role":"assistant","content":"';
const THINKING = '","thinking":"';
const TAIL = '"},"done":false}';
/** What a literal is longer by than its text. */
const QUOTES = 2;

/**
 * `useFastPath: false` sends every record through JSON.parse; the two ways must agree, and the
 * golden tests hold them to it. What the fast one saves is measured in bench/micro.
 */
export function createOllamaDecoder(sink: ChatSink, limits: DecodeLimits, useFastPath = true): Decoder {
  return new OllamaDecoder(sink, limits.maxRecordBytes, useFastPath);
}

/** All that is known of one stream. A class, because a token passes here: docs/performance.md. */
class OllamaDecoder implements Owned<Decoder>, LineTaker {
  rest = '';
  readonly maxLineBytes: number;
  readonly sink: ChatSink;
  readonly useFastPath: boolean;
  /** A record up to the value of created_at: the same on every record of a stream. */
  head = '';
  records = 0;
  /** Lengths of what was said, to estimate how many of the tokens were thinking. */
  saidLength = 0;
  thoughtLength = 0;
  hasSpoken = false;
  hasFinished = false;
  isDone = false;
  usage: Usage | null = null;
  model = '';
  finishReasons = NO_REASONS;
  /** The ids of the calls so far; undefined before the first. */
  callIds: Set<string> | undefined = undefined;

  constructor(sink: ChatSink, maxLineBytes: number, useFastPath: boolean) {
    this.sink = sink;
    this.maxLineBytes = maxLineBytes;
    this.useFastPath = useFastPath;
  }

  push(bytes: ByteText): boolean {
    const before = this.records;
    pushLines(this, bytes);
    return this.records !== before;
  }

  end(): void {
    endLines(this);
    if (!this.isDone) throw incompleteAnswer(this.records);
  }

  line(line: ByteText): void {
    if (this.isDone || line === '') return;
    if (!this.useFastPath || !takePlainToken(this, line)) {
      if (line.trim() === '') return;
      takeRecord(this, line);
    }
    this.records++;
  }
}

function sayText(decoder: OllamaDecoder, literal: JsonText, logprobs?: ByteText): void {
  decoder.hasSpoken = true;
  decoder.saidLength += literal.length - QUOTES;
  decoder.sink.text(literal, logprobs);
}

function sayThinking(decoder: OllamaDecoder, literal: JsonText): void {
  decoder.hasSpoken = true;
  decoder.thoughtLength += literal.length - QUOTES;
  decoder.sink.reasoning(literal);
}

/** True when the line was an ordinary token, and is dealt with. */
function takePlainToken(decoder: OllamaDecoder, line: ByteText): boolean {
  if (decoder.head === '') decoder.head = commonHead(line);
  const { head } = decoder;
  if (head === '' || !line.startsWith(head)) return false;
  const stampEnd = endOfJsonString(line, head.length);
  if (stampEnd < 0 || !line.startsWith(CONTENT, stampEnd)) return false;
  const open = stampEnd + CONTENT.length - 1;
  const close = endOfJsonString(line, open + 1);
  if (close < 0) return false;
  if (endsWithTail(line, close)) {
    if (close > open + 1) sayText(decoder, sliceJsonText(line, open, close));
    return true;
  }
  return close === open + 1 && line.startsWith(THINKING, close) && takePlainThinking(decoder, line, close);
}

function takePlainThinking(decoder: OllamaDecoder, line: ByteText, contentEnd: number): boolean {
  const open = contentEnd + THINKING.length - 1;
  const close = endOfJsonString(line, open + 1);
  if (close < 0 || !endsWithTail(line, close)) return false;
  if (close > open + 1) sayThinking(decoder, sliceJsonText(line, open, close));
  return true;
}

/** Any record, the long way. */
function takeRecord(decoder: OllamaDecoder, line: ByteText): void {
  const json = decodeUtf8(line);
  const record = parseRecord(json);
  const message = isJsonObject(record.message) ? record.message : {};
  const { thinking, content } = message;
  if (typeof thinking === 'string' && thinking !== '') sayThinking(decoder, toJsonText(thinking));
  const calls = toToolCalls(decoder, message.tool_calls, json);
  if (typeof content === 'string' && content !== '') {
    // Entries of thinking and of a call's markup describe nothing the client sees.
    const isPlain = !thinking && calls.length === 0;
    sayText(decoder, toJsonText(content), isPlain ? toLogprobs(record.logprobs) : undefined);
  }
  if (calls.length > 0) {
    decoder.hasSpoken = true;
    for (const call of calls) decoder.saidLength += call.name.length + call.arguments.length;
    decoder.sink.toolCalls(calls);
  }
  if (isLast(record)) finish(decoder, record);
}

function finish(decoder: OllamaDecoder, record: OllamaRecord): void {
  const { sink, callIds, saidLength, thoughtLength } = decoder;
  const { prompt, completion, cached } = countsOf(record);
  const length = saidLength + thoughtLength;
  decoder.hasFinished = true;
  decoder.isDone = true;
  decoder.usage = {
    prompt,
    completion,
    cached,
    // Ollama counts thinking and answer together; their share of the text is the best estimate.
    reasoning: length === 0 ? 0 : Math.round((completion * thoughtLength) / length),
  };
  decoder.model = modelOf(record);
  const reason = finishReason(record.done_reason, callIds !== undefined);
  decoder.finishReasons = [reason];
  sink.finish(reason, decoder.usage);
}

function toToolCalls(decoder: OllamaDecoder, value: unknown, json: string): ToolCall[] {
  if (!Array.isArray(value) || value.length === 0) return [];
  const texts = sliceItems(json, ['message', 'tool_calls']);
  return value.flatMap((item: unknown, index): ToolCall[] => {
    const called = isJsonObject(item) ? item.function : undefined;
    if (!isJsonObject(called) || typeof called.name !== 'string') return [];
    const id = isJsonObject(item) && typeof item.id === 'string' ? item.id : '';
    decoder.callIds ??= new Set();
    const isNew = id !== '' && !decoder.callIds.has(id);
    decoder.callIds.add(id);
    const text = argumentsText(called.arguments, texts[index] ?? '');
    return [{ id: isNew ? id : undefined, name: called.name, arguments: text }];
  });
}

function commonHead(line: string): string {
  if (!line.startsWith(MODEL)) return '';
  const modelEnd = endOfJsonString(line, MODEL.length);
  if (modelEnd < 0 || !line.startsWith(CREATED, modelEnd + 1)) return '';
  return line.slice(0, modelEnd + 1 + CREATED.length);
}

function endsWithTail(line: string, at: number): boolean {
  return line.length === at + TAIL.length && line.startsWith(TAIL, at);
}

/** `call`: the text of the whole call. */
function argumentsText(value: unknown, call: string): string {
  if (typeof value === 'string') return value === '' ? '{}' : value;
  if (value === null || value === undefined) return '{}';
  return sliceJson(call, ['function', 'arguments']) ?? '{}';
}
