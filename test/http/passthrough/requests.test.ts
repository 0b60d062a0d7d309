/** Head, path and method of a raw request on their way to a backend. */

import { describe, expect, it } from '@jest/globals';
import {
  KEY,
  type Upstream,
  startUpstream,
  echo,
  type Echoed,
  fine,
  startGateway,
  sendText,
  statusIn,
} from './support.ts';

describe('headers', () => {
  it('of the client that concern the gateway stay there, and the backend’s own go along', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway(
      [{ url: upstream.url, apiKey: 'backend-key', headers: { 'X-Team': 'blue', 'OpenAI-Project': 'ours' } }],
      { keys: [KEY] },
    );
    const answer = await sendText(
      gateway.port,
      `POST /v1/files HTTP/1.1
Host: gateway.example
Authorization: Bearer ${KEY}
Cookie: session=1
Proxy-Authorization: Basic eDp5
Proxy-Connection: keep-alive
X-Forwarded-For: 10.0.0.1
X-Forwarded-Host: evil.example
X-Real-IP: 10.0.0.1
Forwarded: for=10.0.0.1
Origin: https://app.example
Referer: https://app.example/page
X-Api-Key: secret
X-HTTP-Method-Override: DELETE
Expect: 100-continue
TE: trailers
Upgrade: websocket
Keep-Alive: timeout=99
Connection: close, X-Hop, Upgrade
X-Hop: 1
Accept: audio/*
Accept-Encoding: gzip, br
Accept-Language: de
OpenAI-Organization: org-1
OpenAI-Project: theirs
OpenAI-Beta: assistants=v2
Idempotency-Key: once
User-Agent: client/1
Content-Type: application/octet-stream
Content-Length: 3

abc`,
    );
    const [, body = ''] = answer.split('\r\n\r\n').slice(-2);
    const { headers, body: sent } = JSON.parse(/\{.*\}/s.exec(body)?.[0] ?? '') as Echoed;
    expect(sent).toBe('abc');
    expect(headers).toEqual({
      host: `127.0.0.1:${String(upstream.port)}`,
      connection: 'keep-alive',
      authorization: 'Bearer backend-key',
      'x-team': 'blue',
      accept: 'audio/*',
      'accept-encoding': 'identity',
      'accept-language': 'de',
      'openai-organization': 'org-1',
      'openai-project': 'ours',
      'openai-beta': 'assistants=v2',
      'idempotency-key': 'once',
      'user-agent': 'node-ai-gateway',
      'content-type': 'application/octet-stream',
      'content-length': '3',
    });
  });

  it('are no credentials when the backend has none', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }], { keys: [KEY] });
    const response = await fetch(`${gateway.url}/v1/files`, { headers: { authorization: `Bearer ${KEY}` } });
    expect(((await response.json()) as Echoed).headers).not.toHaveProperty('authorization');
  });

  it('of the backend that tell of the answer go along, and those that tell of the backend do not', async () => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, {
        'content-type': 'audio/mpeg',
        'content-disposition': 'attachment; filename="speech.mp3"',
        'openai-processing-ms': '12',
        'x-ratelimit-remaining-requests': '9',
        'retry-after': '3',
        'x-request-id': 'upstream-id',
        'set-cookie': ['a=1', 'b=2'],
        server: 'uvicorn',
        via: '1.1 inner',
        'x-powered-by': 'Express',
        'access-control-allow-origin': '*',
        'www-authenticate': 'Bearer',
        'alt-svc': 'h3=":443"',
      });
      res.end('bytes');
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files/f/content`, {
      headers: { 'x-request-id': 'mine' },
    });
    const { date, ...headers } = Object.fromEntries(response.headers);
    expect(headers).toEqual({
      connection: 'keep-alive',
      'keep-alive': 'timeout=75',
      'transfer-encoding': 'chunked',
      'content-type': 'audio/mpeg',
      'content-disposition': 'attachment; filename="speech.mp3"',
      'openai-processing-ms': '12',
      'x-ratelimit-remaining-requests': '9',
      'retry-after': '3',
      'x-request-id': 'mine',
    });
    expect(date).toMatch(/GMT$/);
  });

  it.each([
    ['https://evil.example/v1/files/f', null],
    ['//evil.example/v1/files/f', null],
    ['/admin', null],
    ['/v1/../admin', null],
    ['/v1/files/f?x=1', '/v1/files/f?x=1'],
    ['other', '/v1/files/other'],
    ['http://[', null],
  ])('send no client elsewhere: location %s', async (location, expected) => {
    const upstream = await startUpstream((_req, res) => res.writeHead(307, { location }).end());
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files/f`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([307, expected]);
  });

  it('with the backend’s own address lead back to the gateway', async () => {
    const upstream: Upstream = await startUpstream((_req, res) =>
      res.writeHead(201, { location: `${upstream.url}/base/v1/batches/b` }).end(),
    );
    const gateway = await startGateway([{ url: `${upstream.url}/base/v1` }]);
    const response = await fetch(`${gateway.url}/v1/batches`, { method: 'POST' });
    expect(response.headers.get('location')).toBe('/v1/batches/b');
    expect(upstream.requests[0]?.url).toBe('/base/v1/batches');
  });
});

describe('a path', () => {
  const refused = [
    '/v1/../admin',
    '/v1/files/../../admin',
    '/v1/files/..',
    '/v1/./files',
    '/v1/%2e%2e/admin',
    '/v1/%2E./admin',
    '/v1/.%2e/admin',
    '/v1/%252e%252e/admin',
    '/v1/files%2f..%2f..%2fadmin',
    '/v1/..%5cadmin',
    '/v1/..\\admin',
    '/v1/\\\\evil.example\\x',
    '/v1/..;/admin',
    '/v1//evil.example/x',
    '/v1/files//x',
    '/v1/files/',
    '/v1/%63hat/completions',
    '/v1/files/%00',
    '/v1/files/%0d%0ax',
    '/v1/files#/../x',
    '/v1/files?a#b',
    'http://evil.example/v1/files',
    'https://evil.example/v1/files',
    '//evil.example/v1/files',
    '/v1@evil.example/files',
    '/v2/files',
  ];

  it.each(refused)('that may lead out of the backend’s base is refused: %s', async (target) => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: `${upstream.url}/base/v1` }]);
    const answer = await sendText(gateway.port, `GET ${target} HTTP/1.1\nHost: x\nConnection: close\n\n`);
    expect([400, 404]).toContain(statusIn(answer));
    expect(upstream.requests).toHaveLength(0);
  });

  it.each([
    ['/v1/files', '/base/v1/files'],
    ['/v1/files/file-abc/content?a=%2e%2e&b=//x', '/base/v1/files/file-abc/content?a=%2e%2e&b=//x'],
    ['/v1/fine_tuning/jobs/ft:gpt-4o:org::id', '/base/v1/fine_tuning/jobs/ft:gpt-4o:org::id'],
    ['/v1/vector_stores/a%20b%3Ac/%C3%BC', '/base/v1/vector_stores/a%20b%3Ac/%C3%BC'],
    ['/V1/files/.hidden', '/base/v1/files/.hidden'],
    ['/v1/files?', '/base/v1/files?'],
  ])('that stays inside arrives as it is: %s', async (target, expected) => {
    const upstream = await startUpstream(fine);
    const gateway = await startGateway([{ url: `${upstream.url}/base/v1` }]);
    const answer = await sendText(gateway.port, `GET ${target} HTTP/1.1\nHost: x\nConnection: close\n\n`);
    expect(statusIn(answer)).toBe(200);
    expect(upstream.requests.map(({ url }) => url)).toEqual([expected]);
  });
});

describe('a method', () => {
  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('%s is passed on', async (method) => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }]);
    expect(await (await fetch(`${gateway.url}/v1/files/f`, { method })).json()).toMatchObject({ method });
  });

  it('HEAD is passed on, and has the length that GET would have', async () => {
    const upstream = await startUpstream((_req, res) => res.setHeader('content-length', '1234').end());
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files/f`, { method: 'HEAD' });
    expect(response.headers.get('content-length')).toBe('1234');
    expect(upstream.requests[0]?.method).toBe('HEAD');
  });

  it('TRACE, which echoes the backend’s key, is not', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url, apiKey: 'backend-key' }]);
    const answer = await sendText(gateway.port, 'TRACE /v1/files HTTP/1.1\nHost: x\nConnection: close\n\n');
    expect(statusIn(answer)).toBe(405);
    expect(upstream.requests).toHaveLength(0);
  });

  it('DELETE with a chunked body cannot smuggle a second request', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }]);
    const hidden = 'GET /v1/hidden HTTP/1.1\r\nHost: x\r\n\r\n';
    const answer = await sendText(
      gateway.port,
      `DELETE /v1/files/f HTTP/1.1\nHost: x\nConnection: close\nTransfer-Encoding: chunked\n\n` +
        `${hidden.length.toString(16)}\n${hidden.replaceAll('\r\n', '\n')}\n0\n\n`,
    );
    expect(statusIn(answer)).toBe(200);
    expect(upstream.requests.map(({ url }) => url)).toEqual(['/v1/files/f']);
    expect(upstream.requests[0]?.headers['transfer-encoding']).toBe('chunked');
  });

  it('without a key is not looked at', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }], { keys: [KEY] });
    expect((await fetch(`${gateway.url}/v1/files`)).status).toBe(401);
    expect(upstream.requests).toHaveLength(0);
  });
});

// --- bodies ---
