/** Ollama's NDJSON chat stream → calls on a sink. */

import type { ChatSink, Decoder, FinishReason, ByteText, ToolCall, Usage } from '../../core/stream.ts';
import type { DecodeLimits } from '../../core/ports.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject } from '../../core/json.ts';
import { endOfJsonString, sliceJsonText, toJsonText } from '../../wire/json-string.ts';
import { sliceJson } from '../../wire/json-slice.ts';
import { createLineReader } from '../../wire/lines.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';
import { messageFailure } from './failure.ts';
import { toLogprobs } from './logprobs.ts';
import type { ChatRecord } from './record.ts';

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
const BACKSLASH = 0x5c;

/**
 * `useFastPath: false` sends every record through JSON.parse; the two ways must agree, and the
 * golden tests hold them to it. Measured in bench/micro.
 */
export function createOllamaDecoder(sink: ChatSink, limits: DecodeLimits, useFastPath = true): Decoder {
  let records = 0;
  let isFinished = false;
  /** A record up to the value of created_at: the same on every record of a stream. */
  let head = '';
  const callIds = new Set<string>();
  let hasCalls = false;
  /** Lengths of what was said, to estimate how many of the tokens were thinking. */
  let saidLength = 0;
  let thoughtLength = 0;

  /** True when the line was an ordinary token, and is dealt with. */
  function isPlainToken(line: ByteText): boolean {
    if (head === '') head = commonHead(line);
    if (head === '' || !line.startsWith(head)) return false;
    const stampEnd = line.indexOf('"', head.length);
    if (!line.startsWith(CONTENT, stampEnd) || line.charCodeAt(stampEnd - 1) === BACKSLASH) return false;
    const open = stampEnd + CONTENT.length - 1;
    const close = endOfJsonString(line, open + 1);
    if (close < 0) return false;
    if (endsWithTail(line, close)) {
      if (close > open + 1) {
        saidLength += close - open - 1;
        sink.text(sliceJsonText(line, open, close));
      }
      return true;
    }
    return close === open + 1 && line.startsWith(THINKING, close) && isPlainThinking(line, close);
  }

  function isPlainThinking(line: ByteText, contentEnd: number): boolean {
    const open = contentEnd + THINKING.length - 1;
    const close = endOfJsonString(line, open + 1);
    if (close < 0 || !endsWithTail(line, close)) return false;
    if (close > open + 1) {
      thoughtLength += close - open - 1;
      sink.reasoning(sliceJsonText(line, open, close));
    }
    return true;
  }

  function decodeRecord(line: ByteText): void {
    const json = decodeUtf8(line);
    const record = parseRecord(json);
    const message = isJsonObject(record.message) ? record.message : {};
    if (typeof message.thinking === 'string' && message.thinking !== '') {
      const literal = toJsonText(message.thinking);
      thoughtLength += literal.length - 2;
      sink.reasoning(literal);
    }
    const calls = toToolCalls(message.tool_calls, json);
    if (typeof message.content === 'string' && message.content !== '') {
      const literal = toJsonText(message.content);
      saidLength += literal.length - 2;
      // Entries of thinking and of a call's markup describe nothing the client sees.
      const isPlain = !message.thinking && calls.length === 0;
      sink.text(literal, isPlain ? toLogprobs(record.logprobs) : undefined);
    }
    if (calls.length > 0) {
      hasCalls = true;
      for (const call of calls) saidLength += call.name.length + call.arguments.length;
      sink.toolCalls(calls);
    }
    // Some servers send the reason without `done`.
    if (record.done === true || (typeof record.done_reason === 'string' && record.done_reason !== '')) {
      isFinished = true;
      sink.finish(finishReason(record.done_reason, hasCalls), toUsage(record));
    }
  }

  function toToolCalls(value: unknown, json: string): ToolCall[] {
    if (!Array.isArray(value)) return [];
    return value.flatMap((item: unknown, index): ToolCall[] => {
      const called = isJsonObject(item) ? item.function : undefined;
      if (!isJsonObject(called) || typeof called.name !== 'string') return [];
      const id = isJsonObject(item) && typeof item.id === 'string' ? item.id : '';
      const isNew = id !== '' && !callIds.has(id);
      callIds.add(id);
      const text = argumentsText(called.arguments, json, index);
      return [{ id: isNew ? id : undefined, name: called.name, arguments: text }];
    });
  }

  function toUsage(record: ChatRecord): Usage {
    const completion = count(record.eval_count);
    const length = saidLength + thoughtLength;
    return {
      prompt: count(record.prompt_eval_count),
      completion,
      cached: count(record.prompt_eval_cached_count),
      // Ollama counts thinking and answer together; their share of the text is the best estimate.
      reasoning: length === 0 ? 0 : Math.round((completion * thoughtLength) / length),
    };
  }

  const lines = createLineReader(limits.maxRecordBytes, (line) => {
    if (isFinished || line === '') return;
    if (!useFastPath || !isPlainToken(line)) {
      if (line.trim() === '') return;
      decodeRecord(line);
    }
    records++;
  });

  return {
    push: lines.push,
    end() {
      lines.end();
      if (isFinished) return;
      throw new GatewayError('upstream_incomplete_response', {
        message:
          records === 0
            ? 'The upstream server closed the stream without a response.'
            : 'The upstream server closed the stream before the response was complete.',
      });
    },
    get records() {
      return records;
    },
  };
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

function parseRecord(json: string): ChatRecord {
  let record: unknown;
  try {
    record = JSON.parse(json);
  } catch (cause) {
    throw invalidRecord(cause);
  }
  if (!isJsonObject(record)) throw invalidRecord();
  const failure = errorText(record);
  if (failure !== undefined) throw messageFailure(failure);
  return record;
}

function invalidRecord(cause?: unknown): GatewayError {
  return new GatewayError('upstream_invalid_response', {
    message: 'The upstream server sent an invalid response.',
    cause,
  });
}

/** `{"error":"…"}`; one server version wrote `{"error parsing tool call":"…"}` (ollama#11781). */
function errorText(record: ChatRecord): string | undefined {
  for (const [key, value] of Object.entries(record)) {
    if (key === 'error' && value !== null && value !== '') {
      return typeof value === 'string' ? value : JSON.stringify({ error: value });
    }
    if (key.startsWith('error ')) return `${key}: ${String(value)}`;
  }
  return undefined;
}

function argumentsText(value: unknown, json: string, index: number): string {
  if (typeof value === 'string') return value === '' ? '{}' : value;
  if (value === null || value === undefined) return '{}';
  return sliceJson(json, ['message', 'tool_calls', index, 'function', 'arguments']) ?? '{}';
}

/** `load`, `unload`, '' and reasons not known yet are a stop. */
function finishReason(reason: unknown, hasCalls: boolean): FinishReason {
  if (reason === 'length') return 'length';
  return hasCalls ? 'tool_calls' : 'stop';
}

/** Counts of zero are left out on the wire. */
function count(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : 0;
}
