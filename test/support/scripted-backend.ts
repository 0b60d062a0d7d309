/** A model server that does what a test tells it, over real sockets, and breaks as real ones break. */

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { TLS_CERTIFICATE, TLS_KEY } from './certificate.ts';

/** One request for an answer, in the hands of the test. */
export interface ScriptedCall {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
  readonly bodyText: string;
  readonly res: ServerResponse;
  readonly socket: Socket;
  /** Resolves when the gateway has closed its side or the answer has ended. */
  readonly closed: Promise<void>;
  /** NDJSON or SSE lines, sent at once; resolves when the socket took them. */
  write(text: string): Promise<void>;
  end(text?: string): void;
  /** The connection breaks: RST instead of FIN. */
  reset(): void;
}

export type Script = (call: ScriptedCall) => void | Promise<void>;

export interface ScriptedBackend {
  /** `http://127.0.0.1:<port>`, or `https://localhost:<port>` */
  readonly url: string;
  readonly port: number;
  /** Requests for answers so far; probes are not among them. */
  readonly calls: readonly ScriptedCall[];
  /** How often a question of discovery was asked: `POST /api/show`. */
  askedFor(question: string): number;
  /** Sockets that are open now. */
  openSockets(): number;
  /** Replaces the script for later calls. */
  script(script: Script): void;
  close(): Promise<void>;
}

export interface ScriptedOptions {
  readonly models?: readonly string[];
  /** Models that are loaded. */
  readonly resident?: readonly string[];
  /** vLLM's metrics page. */
  readonly metricsPage?: string;
  readonly capabilities?: readonly string[];
  /** Ollama's `/api/show` parameters text. */
  readonly parameters?: string;
  /** What else `/api/show` tells. */
  readonly described?: object;
  readonly port?: number;
  /** With the certificate of certificate.ts. */
  readonly isEncrypted?: boolean;
  /** Encrypted with these in its place. */
  readonly tls?: TlsOptions;
}

/** Speaks the discovery endpoints of Ollama and of OpenAI-compatible servers by itself. */
export async function startScriptedBackend(
  script: Script,
  {
    models = ['m'],
    resident = [],
    metricsPage = '',
    capabilities = ['completion', 'tools', 'vision', 'thinking'],
    parameters = '',
    described = {},
    port = 0,
    tls,
    isEncrypted = tls !== undefined,
  }: ScriptedOptions = {},
): Promise<ScriptedBackend> {
  let current = script;
  const calls: ScriptedCall[] = [];
  const questions: string[] = [];
  const sockets = new Set<Socket>();

  const discovery: Readonly<Record<string, () => unknown>> = {
    'GET /api/version': () => ({ version: '0.33.0' }),
    'GET /api/tags': () => ({ models: models.map(tagOf) }),
    'GET /api/ps': () => ({ models: resident.map(tagOf) }),
    'POST /api/show': () => ({ capabilities, parameters, details: { family: 'test' }, ...described }),
    'GET /health': () => ({}),
    'GET /metrics': () => metricsPage,
    'GET /v1/models': () => ({
      object: 'list',
      data: models.map((id) => ({ id, object: 'model', created: 1700000000, owned_by: 'test' })),
    }),
  };

  const onRequest: RequestListener = (req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const question = `${String(req.method)} ${String(req.url)}`;
      const known = discovery[question];
      if (known) {
        questions.push(question);
        const answer = known();
        const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
        res.setHeader('content-type', 'application/json').end(text);
        return;
      }
      const { remotePort } = req.socket;
      const carrier = isEncrypted ? [...sockets].find((each) => each.remotePort === remotePort) : undefined;
      const call = toCall(req, res, Buffer.concat(chunks).toString(), carrier ?? req.socket);
      calls.push(call);
      void current(call);
    });
  };
  const server: Server = isEncrypted
    ? createTlsServer({ key: TLS_KEY, cert: TLS_CERTIFICATE, ...tls }, onRequest)
    : createServer(onRequest);
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined); // a peer that resets is part of the script
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;

  return {
    url: `${isEncrypted ? 'https://localhost' : 'http://127.0.0.1'}:${String(address.port)}`,
    port: address.port,
    calls,
    askedFor: (question) => questions.filter((each) => each === question).length,
    openSockets: () => sockets.size,
    script(next) {
      current = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function tagOf(name: string): object {
  return {
    name,
    model: name,
    modified_at: '2026-01-01T00:00:00Z',
    size: 1,
    digest: `digest-of-${name}`,
    details: { family: 'test' },
  };
}

/** `carrier`: the socket of TCP below the encryption, if there is one. */
function toCall(req: IncomingMessage, res: ServerResponse, bodyText: string, carrier: Socket): ScriptedCall {
  return {
    path: String(req.url),
    headers: req.headers,
    body: bodyText === '' ? {} : (JSON.parse(bodyText) as Record<string, unknown>),
    bodyText,
    res,
    socket: req.socket,
    closed: new Promise((resolve) => {
      res.on('close', () => {
        resolve();
      });
    }),
    write: (text) =>
      new Promise((resolve) => {
        res.write(text, () => {
          resolve();
        });
      }),
    end(text = '') {
      res.end(text);
    },
    reset() {
      carrier.resetAndDestroy();
    },
  };
}

// --- what model servers say ---

/** An ordinary record of Ollama's chat stream. */
export function ollamaToken(content: string, more: object = {}): string {
  return `${JSON.stringify({ model: 'm', created_at: '2026-08-21T10:00:00.5Z', message: { role: 'assistant', content, ...more }, done: false })}\n`;
}

/** The record that ends it. */
export function ollamaDone(more: object = {}): string {
  return `${JSON.stringify({ model: 'm', created_at: '2026-08-21T10:00:01Z', message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop', prompt_eval_count: 5, eval_count: 3, ...more })}\n`;
}

/** One event of an OpenAI-compatible stream. */
export function sse(payload: unknown): string {
  return `data: ${typeof payload === 'string' ? payload : JSON.stringify(payload)}\n\n`;
}

export function openaiChunk(delta: object, finishReason: string | null = null, more: object = {}): string {
  return sse({
    id: 'chatcmpl-upstream',
    object: 'chat.completion.chunk',
    created: 1700000000,
    model: 'upstream-model',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    ...more,
  });
}

/** Answers with these words, one record each, in the format that the path asks for. */
export function saying(...words: readonly string[]): Script {
  return async (call) => {
    if (call.path === '/api/chat') {
      call.res.setHeader('content-type', 'application/x-ndjson');
      for (const word of words) await call.write(ollamaToken(word));
      call.end(ollamaDone({ eval_count: words.length }));
    } else if (call.body.stream === true) {
      call.res.setHeader('content-type', 'text/event-stream');
      await call.write(openaiChunk({ role: 'assistant', content: '' }));
      for (const word of words) await call.write(openaiChunk({ content: word }));
      await call.write(openaiChunk({}, 'stop'));
      const usage = { prompt_tokens: 5, completion_tokens: words.length, total_tokens: 5 + words.length };
      call.end(
        sse({ id: 'chatcmpl-upstream', object: 'chat.completion.chunk', choices: [], usage }) + sse('[DONE]'),
      );
    } else {
      call.res.setHeader('content-type', 'application/json').end(
        JSON.stringify({
          id: 'chatcmpl-upstream',
          object: 'chat.completion',
          created: 1700000000,
          model: 'upstream-model',
          choices: [
            { index: 0, message: { role: 'assistant', content: words.join('') }, finish_reason: 'stop' },
          ],
          usage: { prompt_tokens: 5, completion_tokens: words.length, total_tokens: 5 + words.length },
        }),
      );
    }
  };
}

/** Refuses with a status and a body. */
export function failing(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Script {
  return ({ res }) => {
    res.writeHead(status, { 'content-type': 'application/json', ...headers });
    res.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}
