/** A client that is nothing but a socket: it sends what a test says, reads when a test says, and leaves as it likes. */

import { connect, type Socket } from 'node:net';

/** `paused`: it reads nothing by itself. */
export function openSocket(port: number, { isPaused = false } = {}): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined); // that it is closed is what tests look at
  if (isPaused) socket.pause();
  return socket;
}

/** The text of POST /v1/chat/completions with a plain question, unless `body` says otherwise. */
export function printChat(body: object = {}, headers: readonly string[] = []): string {
  const text = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body });
  const head = [
    'POST /v1/chat/completions HTTP/1.1',
    'host: gateway',
    'content-type: application/json',
    `content-length: ${String(Buffer.byteLength(text))}`,
    ...headers,
  ];
  return `${head.join('\r\n')}\r\n\r\n${text}`;
}

/** All that comes until the other side closes. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    socket.on('close', () => {
      resolve(text);
    });
  });
}
