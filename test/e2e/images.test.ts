/** Images in messages: fetched for backends that take only what is in the request, passed on to the others. */

import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { saying, type ScriptedBackend } from '../support/scripted-backend.ts';
import type { TestGateway } from '../support/gateway.ts';
import { createSetup, eventually } from '../support/setup.ts';

const setup = createSetup();
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJggg==',
  'base64',
);

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A web server; gives its host and port. */
async function serveImages(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

const showing = (...urls: readonly string[]): object => ({
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        ...urls.map((url) => ({ type: 'image_url', image_url: { url } })),
      ],
    },
  ],
});

async function start(
  variable: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ backend: ScriptedBackend; gateway: TestGateway }> {
  const backend = await setup.backend(saying('a cat'));
  return { backend, gateway: await setup.gateway({ env: { [variable]: backend.url, ...env } }) };
}

describe('an image by URL', () => {
  it('is fetched once for Ollama, however often it is shown', async () => {
    const paths: string[] = [];
    const host = await serveImages((req, res) => {
      paths.push(String(req.url));
      res.end(PNG);
    });
    const { backend, gateway } = await start('OLLAMA_BASE_URL', { IMAGE_ALLOW_HOSTS: host });
    const url = `http://${host}/cat.png`;
    const response = await gateway.chat(showing(url, url) as Record<string, unknown>);
    expect(response.status).toBe(200);
    expect(paths).toEqual(['/cat.png']);
    const base64 = PNG.toString('base64');
    expect(backend.calls[0]?.body.messages).toMatchObject([{ images: [base64, base64] }]);
  });

  it('goes to a backend of the same format as it is', async () => {
    const { backend, gateway } = await start('VLLM_BASE_URL');
    const body = showing('http://127.0.0.1:9/cat.png') as { messages: unknown };
    expect((await gateway.chat({ ...body })).status).toBe(200);
    expect(backend.calls[0]?.body.messages).toEqual(body.messages);
  });

  it.each([
    ['at a private address', {}, 'http://127.0.0.1:9/cat.png'],
    ['of the metadata service', {}, 'http://169.254.169.254/latest/meta-data'],
    ['when they are switched off', { IMAGE_URLS: 'false' }, 'https://example.com/cat.png'],
  ])('%s is refused, naming the part', async (_, env, url) => {
    const { backend, gateway } = await start('OLLAMA_BASE_URL', env);
    const response = await gateway.chat(showing(url) as Record<string, unknown>);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { param: 'messages[0].content[1].image_url.url', code: 'invalid_image_url' },
    });
    expect(backend.calls).toEqual([]);
  });

  it('is not waited for when the client has left', async () => {
    let isAsked = false;
    let isLeft = false;
    const host = await serveImages((req) => {
      isAsked = true;
      req.socket.on('close', () => (isLeft = true));
    });
    const { gateway } = await start('OLLAMA_BASE_URL', { IMAGE_ALLOW_HOSTS: host });
    const leaving = new AbortController();
    const answer = gateway.chat(showing(`http://${host}/`) as Record<string, unknown>, {
      signal: leaving.signal,
    });
    await eventually(() => isAsked);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await eventually(() => isLeft);
  });
});

const asPng = (bytes: string): string =>
  `data:image/png;base64,${Buffer.from(bytes, 'latin1').toString('base64')}`;

it.each([
  ['a GIF', asPng('GIF89a-------')],
  ['a HEIC', asPng('\0\0\0\x18ftypheic----')],
  ['an AVIF', asPng('\0\0\0\x18ftypavif----')],
  ['a BMP', asPng('BM\x9a\0\0\0\0\0\0\0')],
  ['a JPEG XL', asPng('\xff\x0a-')],
  ['an SVG', asPng('<svg xmlns="http://www.w3.org/2000/svg">')],
  ['an SVG that is not in base64', 'data:image/png,%3Csvg%3E'],
  ['a PDF', asPng('%PDF-1.7')],
  ['text', asPng('hello')],
  ['text without a type', `data:;base64,${btoa('hello')}`],
  ['bare base64 of text', btoa('hello')],
  ['a PNG that is called a PDF', asPng(PNG.toString('latin1')).replace('image/png', 'application/pdf')],
  ['a PNG that is called text', asPng(PNG.toString('latin1')).replace('image/png', 'text/html')],
])('%s is refused for Ollama, which cannot read it', async (_, url) => {
  const { gateway } = await start('OLLAMA_BASE_URL');
  const response = await gateway.chat(showing(url) as Record<string, unknown>);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    error: { param: 'messages[0].content[1].image_url', code: 'invalid_image_format' },
  });
});

it('images by URL that are too large together are refused, naming the one, and one request after the other', async () => {
  const host = await serveImages((_, res) => res.end(PNG));
  const backend = await setup.backend(saying('a cat'));
  const gateway = await setup.gateway({
    env: { OLLAMA_BASE_URL: backend.url, IMAGE_ALLOW_HOSTS: host },
    file: `images: { maxTotalBytes: ${String(2 * PNG.length)}, maxDownloads: 1 }`,
  });
  const two = showing(`http://${host}/1`, `http://${host}/2`) as Record<string, unknown>;
  const three = showing(...[1, 2, 3].map((i) => `http://${host}/${String(i)}`)) as Record<string, unknown>;
  expect((await gateway.chat(two)).status).toBe(200);
  const refused = await gateway.chat(three);
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({
    error: { param: 'messages[0].content[3].image_url.url', code: 'invalid_image_url' },
  });
  expect((await gateway.chat(two)).status).toBe(200);
});

it('more images by URL than a request may have are refused', async () => {
  const { gateway } = await start('OLLAMA_BASE_URL');
  const urls = Array.from({ length: 17 }, (_, i) => `http://127.0.0.1:9/${String(i)}.png`);
  const response = await gateway.chat(showing(...urls) as Record<string, unknown>);
  expect(await response.json()).toMatchObject({ error: { param: 'messages[0].content[17].image_url.url' } });
});
