/** A client that says and hears bytes: for what no HTTP client would send, or would show. */

import { connect, type Socket } from 'node:net';

export interface WireClient {
  readonly socket: Socket;
  /** Sends as it stands, in one write. */
  send(text: string): void;
  /** Resolves with all that came so far when it holds this text; rejects when the connection closes without it. */
  until(text: string): Promise<string>;
  /** Resolves with all that came, when the server has closed the connection. */
  readonly closed: Promise<string>;
}

export function openWireClient(port: number): WireClient {
  const socket = connect(port, '127.0.0.1');
  let seen = '';
  const waiting = new Set<() => void>();
  socket.setEncoding('latin1').on('data', (text: string) => {
    seen += text;
    for (const look of waiting) look();
  });
  socket.on('error', () => undefined); // a reset is a way to close
  const closed = new Promise<string>((resolve) => {
    socket.on('close', () => {
      resolve(seen);
    });
  });
  return {
    socket,
    send(text) {
      socket.write(text);
    },
    closed,
    until: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!seen.includes(text)) return;
          waiting.delete(look);
          resolve(seen);
        };
        waiting.add(look);
        look();
        void closed.then(() => {
          reject(new Error(`closed before ${text} came: ${seen}`));
        });
      }),
  };
}

/** A request for a chat with a plain question, unless `body` says otherwise, as it stands on the wire. */
export function chatRequest(body: object = {}): string {
  const json = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body });
  return (
    'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n' +
    `content-length: ${String(Buffer.byteLength(json))}\r\n\r\n${json}`
  );
}

export const HEALTH_REQUEST = 'GET /health HTTP/1.1\r\nhost: x\r\n\r\n';
