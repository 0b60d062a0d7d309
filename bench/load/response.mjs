// Bytes of a connection → responses: just enough of HTTP/1.1, without the cost of a full client.

/**
 * @typedef {object} ResponseListener
 * @property {(status: number) => void} onHead
 * @property {(text: string) => void} onBody one character per byte
 * @property {() => void} onEnd
 */

/**
 * Throws when the bytes are no response.
 * @param {ResponseListener} listener
 */
export function createResponseReader({ onHead, onBody, onEnd }) {
  let phase = 'head';
  let rest = '';
  /** Of the body, or of the chunk with the line end behind it. */
  let remaining = 0;

  function takeHead(input, at) {
    const end = input.indexOf('\r\n\r\n', at);
    if (end < 0) return -1;
    const head = input.slice(at, end).toLowerCase();
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
    if (!head.startsWith('http/1.1 ')) throw new Error('no HTTP response');
    if (length !== undefined) remaining = Number(length);
    else if (!head.includes('\r\ntransfer-encoding: chunked')) throw new Error('a body without a length');
    phase = length === undefined ? 'size' : 'length';
    onHead(Number(head.slice(9, 12)));
    return end + 4;
  }

  function takeSize(input, at) {
    const end = input.indexOf('\r\n', at);
    if (end < 0) return -1;
    const size = Number.parseInt(input.slice(at, end), 16);
    if (Number.isNaN(size)) throw new Error('a broken chunk');
    remaining = size + 2;
    phase = size === 0 ? 'last' : 'chunk';
    return end + 2;
  }

  /** The line end behind a chunk is counted with it and not handed on. */
  function takeChunk(input, at) {
    const take = Math.min(remaining, input.length - at);
    const payload = Math.min(take, Math.max(0, remaining - 2));
    if (payload > 0) body += input.slice(at, at + payload);
    remaining -= take;
    if (remaining === 0) phase = 'size';
    return at + take;
  }

  function takeLast(input, at) {
    if (input.length < at + 2) return -1;
    if (!input.startsWith('\r\n', at)) throw new Error('trailers');
    phase = 'complete';
    return at + 2;
  }

  function takeLength(input, at) {
    const take = Math.min(remaining, input.length - at);
    body += input.slice(at, at + take);
    remaining -= take;
    if (remaining === 0) phase = 'complete';
    return at + take;
  }

  const takers = { head: takeHead, size: takeSize, chunk: takeChunk, last: takeLast, length: takeLength };
  let body = '';

  /** @param {string} bytes one read, one character per byte */
  return function push(bytes) {
    const input = rest + bytes;
    rest = '';
    body = '';
    let at = 0;
    while (at < input.length && phase !== 'complete') {
      const next = takers[phase](input, at);
      if (next < 0) break;
      at = next;
    }
    if (body !== '') onBody(body);
    if (phase !== 'complete') {
      rest = input.slice(at);
      return;
    }
    if (at < input.length) throw new Error('bytes after the response');
    phase = 'head';
    onEnd();
  };
}
