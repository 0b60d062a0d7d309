/** One raw request on its way to a backend and back: what happens to it, and what its end means. */

import type { ClientRequest, IncomingMessage } from 'node:http';
import { GatewayError, toGatewayError } from '../core/errors.ts';
import type { Backend } from '../core/fleet.ts';
import { isJsonObject } from '../core/json.ts';
import { withoutSecrets } from '../core/secrets.ts';
import type { ByteText } from '../core/stream.ts';
import { setErrorHeaders } from './errors.ts';
import type { ForwardDeps, Forwarding } from './forward.ts';
import { toOpenaiError } from './raw-failure.ts';
import { invalidUrl, toClientHeaders, toMethods } from './raw-message.ts';

/** One request's answers to what happens to it. */
export interface Run {
  sending(request: ClientRequest): void;
  answered(answer: IncomingMessage): void;
  broken(error: unknown): void;
}

const NO_HEARTBEAT = { commitAfterMs: 0, everyMs: 0 };
/** Of an error body; more than this is no error as OpenAI sends it. */
const MAX_ERROR_BODY_BYTES = 64 * 1024;

/** `onEnd` is called once. */
export function startRun(
  { req, res, backend, path, body, model, allow, exchange }: Forwarding,
  { kinds, watch }: ForwardDeps,
  onEnd: (error?: GatewayError) => void,
): Run {
  const { relay } = exchange;
  const controller = new AbortController();
  const watched = watch.start(backend.timeouts, NO_HEARTBEAT, { relay, deadlineMs: Infinity }, controller);
  let request: ClientRequest | undefined;
  let answer: IncomingMessage | undefined;
  let isConnected = false;
  let isOver = false;

  function end(error?: GatewayError): void {
    if (isOver) return;
    isOver = true;
    watch.stop(watched);
    relay.onClose = undefined;
    onEnd(error);
  }

  function fail(error: GatewayError): void {
    if (isOver) return;
    end(error);
    if (res.headersSent) {
      res.destroy();
    } else if (answer && !res.destroyed) {
      // To close it would close the client's connection as well. It is closed when the client has its answer.
      answer.resume();
    } else {
      request?.destroy();
    }
    // Clients that are still sending read their answer when they have sent.
    req.unpipe().resume();
  }

  /** The whole exchange is a matter of one failure, whoever sees it first. */
  function broken(error: unknown): void {
    fail(relay.closedBy ?? toFailure(error, isConnected, answer !== undefined));
  }

  function failureOf(status: number, text: string): GatewayError {
    if (status === 404) return invalidUrl(req.method, req.originalUrl);
    if (status === 405) {
      return new GatewayError('method_not_supported', {
        message: `Not allowed to ${req.method} here.`,
        headers: { allow: allow ?? toMethods(answer?.headers.allow) },
      });
    }
    const retryAfter = answer?.headers['retry-after'];
    const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
    return kinds[backend.kind].failure({
      status,
      headers,
      body: Buffer.from(text).toString('latin1') as ByteText,
      model,
    });
  }

  function pass(from: IncomingMessage, status: number): void {
    const headers = toClientHeaders(from.headers, backend, path, res.getHeaderNames());
    exchange.isStream = headers['content-type']?.startsWith('text/event-stream') === true;
    res.writeHead(status, headers);
    res.flushHeaders();
    from.pipe(res);
    // After pipe's own listener, which writes.
    from.on('data', () => {
      watched.hasRecord = true;
      watched.isPaused = res.writableNeedDrain;
    });
    res.on('drain', () => {
      watched.isPaused = false;
    });
    from.on('end', () => end());
  }

  function refuse(from: IncomingMessage, status: number): void {
    let bytes = Buffer.alloc(0);
    from.on('data', (chunk: Buffer) => {
      if (isOver) return;
      watched.hasRecord = true;
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length > MAX_ERROR_BODY_BYTES) fail(failureOf(status, ''));
    });
    from.on('end', () => {
      if (isOver) return;
      const text = withoutSecrets(bytes.toString(), backend);
      const failure = failureOf(status, text);
      const told = toOpenaiError(text, status);
      if (told !== undefined) {
        setErrorHeaders(res, failure);
        res.writeHead(status, {
          ...toClientHeaders(from.headers, backend, path, res.getHeaderNames()),
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(told),
        });
        res.end(told);
      }
      end(failure);
    });
  }

  relay.onClose = fail;
  controller.signal.addEventListener('abort', () => fail(toGatewayError(controller.signal.reason)));
  if (body === undefined) {
    watched.isSending = true;
    req.once('end', () => {
      watched.isSending = false;
    });
  }

  return {
    broken,
    sending(given) {
      request = given;
      if (isOver) {
        given.destroy();
        return;
      }
      if (body !== undefined) given.write(body);
      limitConnecting(given, backend, fail, () => {
        isConnected = true;
      });
    },
    answered(given) {
      answer = given;
      watched.isAnswering = true;
      // After the end it means nothing.
      given.on('close', () => broken(undefined));
      const { statusCode: status = 502 } = given;
      try {
        // Clients would take these for a fault of their own key.
        if (status === 401 || status === 407) fail(failureOf(401, ''));
        else if (status === 403) fail(failureOf(403, ''));
        else if (status >= 400) refuse(given, status);
        else pass(given, status);
      } catch (error) {
        broken(error);
      }
    },
  };
}

function limitConnecting(
  request: ClientRequest,
  { url, timeouts: { connectMs } }: Backend,
  fail: (error: GatewayError) => void,
  onConnect: () => void,
): void {
  const { socket } = request;
  if (!socket?.connecting) {
    onConnect();
    return;
  }
  function onTimeout(): void {
    fail(
      new GatewayError('upstream_connect_timeout', {
        message: `The upstream server did not accept a connection within ${String(connectMs / 1000)} s.`,
      }),
    );
  }
  socket.setTimeout(connectMs).once('timeout', onTimeout);
  socket.once(url.startsWith('https:') ? 'secureConnect' : 'connect', () => {
    socket.off('timeout', onTimeout).setTimeout(0);
    onConnect();
  });
}

function toFailure(error: unknown, isConnected: boolean, hasAnswer: boolean): GatewayError {
  if (error instanceof GatewayError) return error;
  if (!isConnected) {
    return new GatewayError('upstream_unavailable', {
      message: 'The upstream server cannot be reached.',
      cause: error,
    });
  }
  if (!hasAnswer && isJsonObject(error) && String(error.code).startsWith('HPE_')) {
    return new GatewayError('upstream_invalid_response', {
      message: 'The upstream server sent no valid HTTP response.',
      cause: error,
    });
  }
  return new GatewayError('upstream_connection_error', {
    message: 'The upstream connection was lost before the response was complete.',
    cause: error,
  });
}
