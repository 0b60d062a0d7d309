// Ports, and small requests to servers that may not be there yet.

import { get as httpGet } from 'node:http';
import { createServer } from 'node:net';

const REQUEST_TIMEOUT_MS = 1000;

/** A port that nobody has at the moment. */
export function findFreePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/**
 * Status and body, or undefined when there was no answer.
 * @returns {Promise<{ status: number, body: string } | undefined>}
 */
export function get(port, path) {
  return new Promise((resolve) => {
    const request = httpGet(
      { host: '127.0.0.1', port, path, agent: false, timeout: REQUEST_TIMEOUT_MS },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode, body }));
        response.on('error', () => resolve(undefined));
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}

export function sleep(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
