// Bytes of a connection → requests, as far as well-behaved clients need it: one at a time, with a length.

const LENGTH = /\r\ncontent-length: *(\d+)/i;

/**
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path
 * @property {string} body
 */

/** @param {(request: Request) => void} onRequest */
export function createRequestReader(onRequest) {
  let received = '';
  /** Of the whole request; 0 until its head is here. */
  let length = 0;

  /** @param {Buffer} bytes */
  return function push(bytes) {
    received += bytes.latin1Slice();
    if (length === 0) {
      const headEnd = received.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      length = headEnd + 4 + Number(LENGTH.exec(received.slice(0, headEnd))?.[1] ?? 0);
    }
    if (received.length < length) return;
    const [method, path] = received.slice(0, received.indexOf('\r\n')).split(' ');
    const body = received.slice(received.indexOf('\r\n\r\n') + 4, length);
    received = received.slice(length);
    length = 0;
    onRequest({ method, path, body });
  };
}
