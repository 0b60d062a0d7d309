/** Requests whose end can be read in two ways: refused, never answered twice, never smuggled to a backend. */

import { describe, expect, it } from '@jest/globals';
import { connectRaw } from '../../support/raw-client.ts';
import { saying, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';
import type { TestGateway } from '../../support/gateway.ts';

const setup = createSetup();
const BODY = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] });
const LENGTH = `Content-Length: ${String(BODY.length)}`;
const CHUNKED = 'Transfer-Encoding: chunked';
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const CHUNKS = `${chunk(BODY)}0\r\n\r\n`;
/** What must never be taken for a request of its own. */
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: gateway\r\n\r\n';

interface Variant {
  readonly name: string;
  readonly lines: readonly string[];
  readonly body: string;
  readonly requestLine?: string;
}

const variant = (name: string, lines: readonly string[], body: string, requestLine?: string): Variant => ({
  name,
  lines,
  body,
  ...(requestLine !== undefined && { requestLine }),
});

/** RFC 9112, sections 5, 6, 7 and 11.2: two readers may find the end, or the names, at different places. */
const AMBIGUOUS: readonly Variant[] = [
  variant('a length and chunks', [LENGTH, CHUNKED], CHUNKS + SMUGGLED),
  variant('chunks and a length', [CHUNKED, 'Content-Length: 3'], CHUNKS + SMUGGLED),
  variant('two lengths', [LENGTH, `Content-Length: ${String(BODY.length + 5)}`], BODY + SMUGGLED),
  variant('the same length twice', [LENGTH, LENGTH], BODY + SMUGGLED),
  variant('a list of lengths', [`Content-Length: ${String(BODY.length)}, ${String(BODY.length)}`], BODY),
  variant('a length with a plus', [`Content-Length: +${String(BODY.length)}`], BODY + SMUGGLED),
  variant('a negative length', [`Content-Length: -1`], BODY + SMUGGLED),
  variant('a length in hexadecimal', [`Content-Length: 0x${BODY.length.toString(16)}`], BODY + SMUGGLED),
  variant('a length with a space inside', ['Content-Length: 1 0'], BODY + SMUGGLED),
  variant('a length with a fraction', [`Content-Length: ${String(BODY.length)}.0`], BODY + SMUGGLED),
  variant('an empty length', ['Content-Length:'], BODY + SMUGGLED),
  variant('a length beyond 64 bits', ['Content-Length: 18446744073709551617'], BODY + SMUGGLED),
  variant('a space before the colon of the length', [`Content-Length : ${String(BODY.length)}`], BODY),
  variant('a space before the colon of the coding', ['Transfer-Encoding : chunked'], CHUNKS),
  variant('a tab before the colon of the coding', ['Transfer-Encoding\t: chunked', LENGTH], CHUNKS),
  variant('an unknown coding', ['Transfer-Encoding: xchunked'], CHUNKS + SMUGGLED),
  variant('an unknown coding and a length', ['Transfer-Encoding: identity', LENGTH], BODY + SMUGGLED),
  variant('chunks that are not the last coding', ['Transfer-Encoding: chunked, identity'], CHUNKS + SMUGGLED),
  variant('a coding in quotes', ['Transfer-Encoding: "chunked"'], CHUNKS + SMUGGLED),
  variant('chunks twice', ['Transfer-Encoding: chunked, chunked'], CHUNKS + SMUGGLED),
  variant('chunks in two headers', [CHUNKED, CHUNKED], CHUNKS + SMUGGLED),
  variant('a coding behind a vertical tab', ['Transfer-Encoding: \u000bchunked', LENGTH], BODY + SMUGGLED),
  variant('a header that is folded', ['Transfer-Encoding:', ' chunked', LENGTH], CHUNKS + SMUGGLED),
  variant('a header line with a bare CR', [`X-A: b\rTransfer-Encoding: chunked`, LENGTH], BODY + SMUGGLED),
  variant('a header with NUL', ['X-A: a\u0000b', LENGTH], BODY + SMUGGLED),
  variant('a line without a colon', ['Transfer-Encoding chunked', LENGTH], BODY + SMUGGLED),
  variant('a line that begins with a colon', [': chunked', LENGTH], BODY + SMUGGLED),
  variant('lines that end in LF only', [`X-A: b\nTransfer-Encoding: chunked`, LENGTH], BODY + SMUGGLED),
  variant('a size of a chunk with 0x', [CHUNKED], `0x${chunk(BODY)}0\r\n\r\n`),
  variant('a negative size of a chunk', [CHUNKED], `-1\r\n${BODY}\r\n0\r\n\r\n`),
  variant('a size of a chunk beyond 64 bits', [CHUNKED], `1${'0'.repeat(16)}5\r\n${BODY}\r\n0\r\n\r\n`),
  variant('a size of a chunk that is too small', [CHUNKED], `3\r\n${BODY}\r\n0\r\n\r\n${SMUGGLED}`),
  variant(
    'a chunk that ends in LF',
    [CHUNKED],
    `${BODY.length.toString(16)}\r\n${BODY}\n0\r\n\r\n${SMUGGLED}`,
  ),
  variant(
    'a size of a chunk that ends in LF',
    [CHUNKED],
    `${BODY.length.toString(16)}\n${BODY}\r\n0\r\n\r\n`,
  ),
  variant(
    'an extension of a chunk with a bare LF',
    [CHUNKED],
    `${BODY.length.toString(16)};a\nb\r\n${BODY}\r\n0\r\n\r\n`,
  ),
  variant('extensions of a chunk without end', [CHUNKED], `1;${'a'.repeat(20_000)}\r\n{\r\n0\r\n\r\n`),
  variant('two hosts', ['Host: other', LENGTH], BODY + SMUGGLED),
  variant(
    'chunks in HTTP/1.0',
    [CHUNKED, 'Connection: keep-alive'],
    CHUNKS + SMUGGLED,
    'POST /v1/chat/completions HTTP/1.0',
  ),
];

/** What only looks odd has one meaning, and is served. */
const PLAIN: readonly Variant[] = [
  variant('names in other letters', [LENGTH.toUpperCase()], BODY),
  variant('a length with zeros before it', [`Content-Length: 000${String(BODY.length)}`], BODY),
  variant('no space behind the colon', [`Content-Length:${String(BODY.length)}`], BODY),
  variant('chunks of one byte', [CHUNKED], `${Array.from(BODY, chunk).join('')}0\r\n\r\n`),
  variant('chunks with extensions', [CHUNKED], `${BODY.length.toString(16)};a=b\r\n${BODY}\r\n0\r\n\r\n`),
  variant(
    'chunks with trailers',
    [CHUNKED],
    `${chunk(BODY)}0\r\nAuthorization: Bearer x\r\nX-Request-Id: 5\r\n\r\n`,
  ),
  variant(
    'chunks with sizes in capitals',
    [CHUNKED],
    `${BODY.length.toString(16).toUpperCase()}\r\n${BODY}\r\n0\r\n\r\n`,
  ),
  variant('Connection: Transfer-Encoding', ['Connection: transfer-encoding', CHUNKED], CHUNKS),
  variant(
    'an upgrade to HTTP/2',
    ['Connection: upgrade, http2-settings', 'Upgrade: h2c', 'HTTP2-Settings: AAA', LENGTH],
    BODY,
  ),
];

async function start(): Promise<{ gateway: TestGateway; backend: ScriptedBackend }> {
  const backend = await setup.backend(saying('x'));
  const gateway = await setup.gateway({
    env: { VLLM_BASE_URL: backend.url, HEADERS_TIMEOUT_MS: '500', REQUEST_TIMEOUT_MS: '500' },
  });
  return { gateway, backend };
}

/** All that is said on a connection until it is closed: by `Connection: close`, a refusal, or the time limit. */
async function exchange(
  port: number,
  path: string,
  { lines, body, requestLine }: Variant,
): Promise<string[]> {
  const client = connectRaw(port);
  const head = [
    requestLine ?? `POST ${path} HTTP/1.1`,
    'Host: gateway',
    'Content-Type: application/json',
    ...lines,
  ];
  client.send(`${head.join('\r\n')}\r\n\r\n${body}`);
  await Promise.race([client.closed, client.until(/HTTP\/1\.1 [^]*}/)]).catch(() => undefined);
  // What was left over of it would be answered before this is.
  client.send('GET /health HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n');
  const received = await client.closed;
  return received.match(/(?<=HTTP\/1\.1 )\d{3}/g) ?? [];
}

it('there are 38 ways to frame a request ambiguously', () => {
  expect(AMBIGUOUS).toHaveLength(38);
});

describe.each(['/v1/chat/completions', '/v1/responses'])('on %s', (path) => {
  it.each(AMBIGUOUS)('$name: refused once, and the connection is closed', async (given) => {
    const { gateway, backend } = await start();
    const statuses = await exchange(gateway.port, path, given);
    expect(statuses.filter((status) => status.startsWith('4'))).toEqual(statuses);
    expect(statuses.length).toBeLessThanOrEqual(1);
    expect(backend.calls).toEqual([]);
    expect(gateway.logs.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

it.each(PLAIN)('$name: served, and the next request is found where it starts', async (given) => {
  const { gateway, backend } = await start();
  expect(await exchange(gateway.port, '/v1/chat/completions', given)).toEqual(['200', '200']);
  expect(backend.calls.map(({ bodyText }) => bodyText)).toHaveLength(1);
  expect(backend.calls[0]?.body).toMatchObject({ model: 'm' });
  expect(backend.calls[0]?.headers).not.toHaveProperty('upgrade');
});

it('a request that names no host is told so, in the form of all errors', async () => {
  const { gateway } = await start();
  const client = connectRaw(gateway.port);
  client.send('GET /v1/models HTTP/1.1\r\n\r\n');
  const answer = await client.closed;
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toMatch(/^x-request-id: \S+/im);
  expect(answer).toMatch(/\{"error":\{"message":"[^"]*host[^"]*","type":"invalid_request_error"/);
});

it('what else a client expects is no reason to refuse it', async () => {
  const { gateway } = await start();
  const client = connectRaw(gateway.port);
  client.send('GET /health HTTP/1.1\r\nHost: gateway\r\nExpect: wonders\r\nConnection: close\r\n\r\n');
  expect(await client.closed).toMatch(/^HTTP\/1\.1 200 /);
});
