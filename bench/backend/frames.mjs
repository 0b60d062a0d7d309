// The bytes of an answer, prebuilt for a format and a model: only digits change from token to token.

import { BLANK_TOKEN, writeToken } from '../protocol/token.mjs';

/**
 * @typedef {object} Frames
 * @property {import('../protocol/model-name.mjs').Simulation} simulation
 * @property {string} head status, headers and what stands before the first token
 * @property {(usage: boolean) => string} tail what follows the last token
 * @property {string} whole the answer as one JSON document, with status and headers
 * @property {(place: number, count: number, microseconds: number) => Buffer} fill `count` tokens from `place` on
 * @property {() => void} detach what `fill` gave last is still in use: the next one needs other bytes
 */

const CREATED_AT = '2026-01-01T00:00:00.123456789Z';
const CREATED = 1767225600;
/** What the answer has cost, roughly as a laptop would. */
const PROMPT_TOKENS = 12;
const NANOSECONDS_A_TOKEN = 20_000_000;

/** Ollama's native stream: one record a line. */
export function ollamaFrames(model, simulation) {
  const record = (content, more) =>
    JSON.stringify({ model, created_at: CREATED_AT, message: { role: 'assistant', content }, ...more });
  const { tokens } = simulation;
  const done = {
    done: true,
    done_reason: 'stop',
    total_duration: tokens * NANOSECONDS_A_TOKEN,
    load_duration: NANOSECONDS_A_TOKEN,
    prompt_eval_count: PROMPT_TOKENS,
    prompt_eval_duration: NANOSECONDS_A_TOKEN,
    eval_count: tokens,
    eval_duration: tokens * NANOSECONDS_A_TOKEN,
  };
  return createFrames(simulation, {
    contentType: 'application/x-ndjson',
    before: [],
    token: `${record(BLANK_TOKEN, { done: false })}\n`,
    after: () => [`${record('', done)}\n`],
    whole: record(BLANK_TOKEN.repeat(tokens), done),
  });
}

/** OpenAI's stream of server-sent events. */
export function openaiFrames(model, simulation) {
  const identity = { id: 'chatcmpl-simulated', created: CREATED, model, system_fingerprint: 'fp_simulated' };
  const chunk = (choices, more = {}) =>
    `data: ${JSON.stringify({ ...identity, object: 'chat.completion.chunk', choices, ...more })}\n\n`;
  const choice = (delta, reason = null) => [{ index: 0, delta, logprobs: null, finish_reason: reason }];
  const { tokens } = simulation;
  const usage = {
    prompt_tokens: PROMPT_TOKENS,
    completion_tokens: tokens,
    total_tokens: PROMPT_TOKENS + tokens,
  };
  const message = { role: 'assistant', content: BLANK_TOKEN.repeat(tokens) };
  return createFrames(simulation, {
    contentType: 'text/event-stream; charset=utf-8',
    before: [chunk(choice({ role: 'assistant', content: '' }))],
    token: chunk(choice({ content: BLANK_TOKEN })),
    after: (hasUsage) => [
      chunk(choice({}, 'stop')),
      ...(hasUsage ? [chunk([], { usage })] : []),
      'data: [DONE]\n\n',
    ],
    whole: JSON.stringify({
      ...identity,
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason: 'stop' }],
      usage,
    }),
  });
}

/** @returns {Frames} */
function createFrames(simulation, { contentType, before, token, after, whole }) {
  const frame = asChunk(token);
  const tokenAt = frame.indexOf(BLANK_TOKEN);
  let bytes = Buffer.from(frame.repeat(simulation.perWrite), 'latin1');
  const head =
    `HTTP/1.1 200 OK\r\nContent-Type: ${contentType}\r\n` +
    'Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n';
  const tails = [false, true].map((usage) => `${after(usage).map(asChunk).join('')}0\r\n\r\n`);

  return {
    simulation,
    head: head + before.map(asChunk).join(''),
    tail: (usage) => tails[Number(usage)],
    whole: asWhole(200, whole),
    fill(place, count, microseconds) {
      for (let i = 0; i < count; i++) writeToken(bytes, i * frame.length + tokenAt, place + i, microseconds);
      return count === simulation.perWrite ? bytes : bytes.subarray(0, count * frame.length);
    },
    detach() {
      bytes = Buffer.from(bytes);
    },
  };
}

/** One HTTP chunk (RFC 9112, section 7.1). All of it is ASCII. */
function asChunk(payload) {
  return `${payload.length.toString(16)}\r\n${payload}\r\n`;
}

/** A response in one piece. `json` is ASCII. */
export function asWhole(status, json) {
  return (
    `HTTP/1.1 ${status} ${status === 200 ? 'OK' : 'Not Found'}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${json.length}\r\n\r\n${json}`
  );
}
