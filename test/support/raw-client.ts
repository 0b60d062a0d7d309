/** A client with its hands on the bytes of its connection. */

import { connect, type Socket } from 'node:net';

export interface RawClient {
  readonly socket: Socket;
  /** Bytes as latin1. */
  send(text: string): void;
  /** Resolves with all that has come when this matches; rejects when the connection ends without it. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves with all that has come when the connection is over, however it ended. */
  readonly closed: Promise<string>;
}

export function connectRaw(port: number): RawClient {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  const waiting = new Set<() => void>();
  let received = '';
  socket.on('data', (text) => {
    received += String(text);
    for (const look of waiting) look();
  });
  socket.on('error', () => undefined); // a reset is one way to end
  const closed = new Promise<string>((resolve) => {
    socket.on('close', () => resolve(received));
  });
  return {
    socket,
    closed,
    send: (text) => void socket.write(text, 'latin1'),
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!pattern.test(received)) return;
          waiting.delete(look);
          resolve(received);
        };
        waiting.add(look);
        look();
        void closed.then((all) => reject(new Error(`closed without ${String(pattern)}: ${all}`)));
      }),
  };
}

/** One request in its own bytes, with `Connection: close` among them, and all that comes for it. */
export function exchangeRaw(port: number, request: string): Promise<string> {
  const client = connectRaw(port);
  client.send(request);
  return client.closed;
}
