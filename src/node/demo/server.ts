/**
 * The embedded demo backend: a server on a loopback port that speaks Ollama's native wire protocol,
 * for a first try on a machine without any model.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';
import { embed, tokensOf } from './answers.ts';
import { chatRecords, mergeChat, mergePrompt, promptRecords } from './records.ts';

export interface DemoBackend {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  close(): Promise<void>;
}

export interface DemoOptions {
  /** Time between two tokens; 0: as fast as the socket takes them. */
  readonly tokenMs?: number;
}

const MODEL = 'demo';
const VERSION = '0.33.0';
const CONTEXT_TOKENS = 8192;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** About as fast as a small model on a laptop. */
const DEFAULT_TOKEN_MS = 25;
const STARTED_AT = '2026-01-01T00:00:00Z';
const DIGEST = '0'.repeat(64);
const DETAILS = {
  format: 'gguf',
  family: 'demo',
  families: ['demo'],
  parameter_size: '0B',
  quantization_level: 'F32',
};
const CAPABILITIES = ['completion', 'tools', 'thinking', 'vision', 'insert', 'embedding'];

type Route = (body: JsonObject, res: ServerResponse, tokenMs: number) => void;

const ROUTES: Readonly<Record<string, Route>> = {
  'GET /api/version': (_, res) => {
    sendJson(res, 200, { version: VERSION });
  },
  'GET /api/tags': (_, res) => {
    sendJson(res, 200, { models: [listed()] });
  },
  'GET /api/ps': (_, res) => {
    const resident = { size_vram: 0, expires_at: '2318-01-01T00:00:00Z', context_length: CONTEXT_TOKENS };
    sendJson(res, 200, { models: [{ ...listed(), ...resident }] });
  },
  'POST /api/show': (body, res) => {
    if (!isKnown(body, res)) return;
    sendJson(res, 200, {
      parameters: '',
      template: '{{ .Prompt }}',
      details: DETAILS,
      model_info: { 'general.architecture': 'demo', 'demo.context_length': CONTEXT_TOKENS },
      capabilities: CAPABILITIES,
      modified_at: STARTED_AT,
    });
  },
  'POST /api/chat': (body, res, tokenMs) => {
    if (!isKnown(body, res) || !fits(body, JSON.stringify(body.messages ?? []), res)) return;
    sendRecords(res, chatRecords(body), body.stream !== false, tokenMs, mergeChat);
  },
  'POST /api/generate': (body, res, tokenMs) => {
    if (!isKnown(body, res) || !fits(body, String(body.prompt), res)) return;
    sendRecords(res, promptRecords(body), body.stream !== false, tokenMs, mergePrompt);
  },
  'POST /api/embed': (body, res) => {
    if (!isKnown(body, res)) return;
    const input = typeof body.input === 'string' ? [body.input] : body.input;
    if (!Array.isArray(input)) {
      sendJson(res, 400, { error: 'invalid input type' });
      return;
    }
    const width = typeof body.dimensions === 'number' ? body.dimensions : undefined;
    sendJson(res, 200, {
      model: body.model,
      embeddings: input.map((text) => embed(String(text), width)),
      total_duration: 1_000_000,
      load_duration: 0,
      prompt_eval_count: input.reduce<number>((sum, text) => sum + tokensOf(String(text)).length, 0),
    });
  },
};

/** Listens on a free loopback port. */
export function startDemoBackend({ tokenMs = DEFAULT_TOKEN_MS }: DemoOptions = {}): Promise<DemoBackend> {
  const server = createServer((req, res) => {
    if (req.url === '/') {
      res.end('Ollama is running');
      return;
    }
    const route = ROUTES[`${req.method ?? ''} ${(req.url ?? '').split('?', 1)[0] ?? ''}`];
    if (!route) {
      res.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found');
      return;
    }
    readJson(req, (body) => {
      if (body) route(body, res, tokenMs);
      else sendJson(res, 400, { error: 'invalid JSON' });
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      resolve({
        url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
        close: () =>
          new Promise((closed) => {
            server.close(() => {
              closed();
            });
            server.closeAllConnections();
          }),
      });
    });
  });
}

function listed(): JsonObject {
  return { name: MODEL, model: MODEL, modified_at: STARTED_AT, size: 0, digest: DIGEST, details: DETAILS };
}

function isKnown({ model }: JsonObject, res: ServerResponse): boolean {
  if (model === MODEL || model === `${MODEL}:latest`) return true;
  sendJson(res, 404, { error: `model '${String(model)}' not found` });
  return false;
}

/** With `truncate: false` a prompt that does not fit is an error, told as llama-server tells it. */
function fits({ truncate }: JsonObject, prompt: string, res: ServerResponse): boolean {
  const tokens = tokensOf(prompt).length;
  if (truncate !== false || tokens <= CONTEXT_TOKENS) return true;
  const message = `request (${String(tokens)} tokens) exceeds the available context size (${String(CONTEXT_TOKENS)} tokens), try increasing it`;
  const error = {
    code: 400,
    message,
    type: 'exceed_context_size_error',
    n_prompt_tokens: tokens,
    n_ctx: CONTEXT_TOKENS,
  };
  sendJson(res, 400, { error: JSON.stringify({ error }) });
  return false;
}

function sendJson(res: ServerResponse, status: number, body: JsonObject): void {
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}

type Merge = (records: readonly JsonObject[]) => JsonObject;

/** One record a token; a client that leaves stops the generation. */
function sendRecords(
  res: ServerResponse,
  records: readonly JsonObject[],
  isStream: boolean,
  tokenMs: number,
  merge: Merge,
): void {
  if (!isStream) {
    sendJson(res, 200, stamp(merge(records)));
    return;
  }
  let next = 0;
  let timer: NodeJS.Timeout | undefined;
  res.on('close', () => {
    clearTimeout(timer);
  });
  res.writeHead(200, { 'content-type': 'application/x-ndjson' });
  function step(): void {
    const record = records[next++];
    if (!record || res.destroyed) return;
    const line = `${JSON.stringify(stamp(record))}\n`;
    if (next === records.length) res.end(line);
    else if (res.write(line)) timer = setTimeout(step, tokenMs);
    else res.once('drain', step);
  }
  step();
}

/** Key order as Ollama prints it. */
function stamp(record: JsonObject): JsonObject {
  return { model: MODEL, created_at: new Date().toISOString(), ...record, done: record.done === true };
}

/** undefined for what is no JSON object; a GET has none. */
function readJson(req: IncomingMessage, then: (body: JsonObject | undefined) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  req.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
    else req.destroy();
  });
  req.on('end', () => {
    const text = Buffer.concat(chunks).toString();
    const body = text === '' ? {} : parseJson(text);
    then(isJsonObject(body) ? body : undefined);
  });
}
