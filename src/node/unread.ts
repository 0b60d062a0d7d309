/** Requests that are answered before their body has come: what is still read of it, and what is not asked for. */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** Of a body that nobody wants any more; afterwards its connection is closed. */
export interface UnreadLimits {
  readonly bytes: number;
  readonly ms: number;
}

/**
 * Enough for clients that read their answer only when they have sent everything: a connection that is
 * closed while data arrives is reset, and the answer is lost with it.
 */
export const UNREAD_LIMITS: UnreadLimits = { bytes: 1024 ** 2, ms: 5000 };

/**
 * Node reads such a body to its end, however long that takes, so that the next request on the connection
 * is found where it starts. Here it does so within limits.
 */
export function limitUnread(req: IncomingMessage, res: ServerResponse, limits: UnreadLimits): void {
  // Most bodies are complete by then. Before Node's own listener, which reads what nobody has begun to.
  res.prependOnceListener('finish', () => {
    if (!req.complete) readTheRest(req, limits);
  });
}

function readTheRest(req: IncomingMessage, { bytes, ms }: UnreadLimits): void {
  const { socket } = req;
  let left = bytes;
  const timer = setTimeout(() => socket.destroy(), ms);
  // Node tells the request itself no more of its connection.
  function stop(): void {
    clearTimeout(timer);
    socket.off('close', stop);
  }
  req.once('end', stop);
  socket.once('close', stop);
  req.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) socket.destroy();
  });
  req.read();
  req.resume();
}

/**
 * Clients that ask first whether their body is wanted (`Expect: 100-continue`) hear so when somebody
 * begins to read it, and not before their key was looked at. Who was refused has sent nothing, or has
 * not waited; its connection is closed, so that nobody has to know which.
 */
export function continueWhenRead(server: Server): void {
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    res.setHeader('connection', 'close');
    req.once('resume', () => {
      if (!res.headersSent) res.writeContinue();
    });
    server.emit('request', req, res);
  });
}
