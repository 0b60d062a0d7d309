/** What is fetched, how far, for how long, and what is asked of the server. */

import { describe, expect, it, jest } from '@jest/globals';
import { getEventListeners } from 'node:events';
import net from 'node:net';
import type { ServerResponse } from 'node:http';
import type { ImageFetchOptions } from '../../../src/node/images/index.ts';
import {
  byPath,
  imageFetcher,
  PNG,
  redirectTo,
  refusalOf,
  startImageServer,
  unaborted,
} from './image-server.ts';

/** Fetches `/start` from a server that answers so, with its host opened. */
async function start(
  answers: Readonly<Record<string, (res: ServerResponse) => void>>,
  options: Partial<ImageFetchOptions> = {},
  signal = unaborted(),
) {
  const server = await startImageServer(byPath(answers));
  const fetched = imageFetcher({ allowHosts: [server.host], ...options })(`${server.url}/start`, signal);
  // Tests look at it later than it may fail.
  fetched.catch(() => undefined);
  return { server, fetched };
}

describe('an image', () => {
  it('comes as padded base64, and its connection is closed', async () => {
    const { server, fetched } = await start({});
    await expect(fetched).resolves.toBe(PNG.toString('base64'));
    await server.allClosed();
  });

  it.each([1, 65_536 - PNG.length, 65_537 - PNG.length, 131_072, 900_000])(
    'comes whole when %d bytes follow its first ones, in pieces of all sizes',
    async (size) => {
      const image = Buffer.concat([
        PNG,
        Buffer.from(Array.from({ length: size }, (_, index) => index % 251)),
      ]);
      const { fetched } = await start({
        '/start': (res) => {
          for (let from = 0, length = 1; from < image.length; from += length, length = length * 2 + 1) {
            res.write(image.subarray(from, from + length));
          }
          res.end();
        },
      });
      expect(Buffer.from(await fetched, 'base64').equals(image)).toBe(true);
    },
  );

  it('is asked for with nothing but what it takes', async () => {
    const server = await startImageServer(
      byPath({
        '/start?a=b%20c': (res) => res.writeHead(302, { location: '/a.png', 'set-cookie': 'a=b' }).end(),
      }),
    );
    await imageFetcher({ allowHosts: [server.host] })(`${server.url}/start?a=b%20c#part`, unaborted());
    expect(server.requests.map(({ method, url }) => `${String(method)} ${String(url)}`)).toEqual([
      'GET /start?a=b%20c',
      'GET /a.png',
    ]);
    for (const { headers } of server.requests) {
      expect(headers).toEqual({
        host: server.host,
        connection: 'close',
        'user-agent': 'node-ai-gateway',
        accept: 'image/png, image/jpeg, image/webp',
        'accept-encoding': 'identity',
      });
    }
  });

  it('is had from an opened name, whatever it resolves to', async () => {
    const server = await startImageServer(byPath({}));
    const fetchImage = imageFetcher({
      allowHosts: ['images.lan'],
      lookup: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
    });
    const url = `http://images.lan:${String(server.port)}/a.png`;
    await expect(fetchImage(url, unaborted())).resolves.toBe(PNG.toString('base64'));
    expect(server.requests[0]?.headers.host).toBe(`images.lan:${String(server.port)}`);
  });

  it('is refused when fetching is switched off, with the way out', async () => {
    const { server, fetched } = await start({}, { enabled: false });
    const error = await refusalOf(fetched);
    expect(error.message).toContain('switched off');
    expect(error.message).toContain('data:');
    expect(server.requests).toHaveLength(0);
  });

  it('is refused when its server cannot be reached', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as net.AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const fetchImage = imageFetcher({ allowHosts: ['127.0.0.1'] });
    const error = await refusalOf(fetchImage(`http://127.0.0.1:${String(port)}/`, unaborted()));
    expect(error.message).toContain('cannot be reached');
    expect(error.message).not.toContain('127.0.0.1');
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('is refused when the connection breaks in its middle', async () => {
    const { fetched } = await start({
      '/start': (res) => {
        res.writeHead(200, { 'content-length': '1000' });
        res.write(PNG, () => res.socket?.resetAndDestroy());
      },
    });
    expect((await refusalOf(fetched)).message).toContain('did not send the image');
  });

  it('is refused when its server speaks something else', async () => {
    const { fetched } = await start({ '/start': (res) => res.socket?.end('SSH-2.0-OpenSSH_9.9\r\n') });
    const { message } = await refusalOf(fetched);
    expect(message).not.toContain('SSH');
  });

  it.each([201, 204, 206, 300, 304, 401, 403, 404, 418, 429, 500, 503])(
    'is refused with status %d, without a word of the answer',
    async (status) => {
      const { server, fetched } = await start({
        '/start': (res) => {
          res.writeHead(status, 'secret reason', { location: 'http://secret.example' });
          res.end('secret words');
        },
      });
      const { message } = await refusalOf(fetched);
      expect(message).toContain('did not send the image');
      expect(message).not.toMatch(/secret|\d/);
      await server.allClosed();
    },
  );

  it.each(['gzip', 'br', 'deflate', 'gzip, identity'])('is refused when it comes as %s', async (encoding) => {
    const { fetched } = await start({
      '/start': (res) => res.writeHead(200, { 'content-encoding': encoding }).end(PNG),
    });
    expect((await refusalOf(fetched)).message).toContain('compressed');
  });

  it.each([
    ['a GIF', 'GIF89a......'],
    ['HTML', '<!doctype html><p>secret'],
  ])('is refused when it is %s, whatever its content-type says', async (_name, body) => {
    const { fetched } = await start({
      '/start': (res) => res.writeHead(200, { 'content-type': 'image/png' }).end(body),
    });
    const { message } = await refusalOf(fetched);
    expect(message).toMatch(/^The image URL holds (GIF|HTML) data\. Send PNG, JPEG or WebP\.$/);
  });

  it('is taken whatever its content-type says', async () => {
    const { fetched } = await start({
      '/start': (res) => res.writeHead(200, { 'content-type': 'text/html' }).end(PNG),
    });
    await expect(fetched).resolves.toBe(PNG.toString('base64'));
  });

  it('is refused when it is empty', async () => {
    const { fetched } = await start({ '/start': (res) => res.end() });
    expect((await refusalOf(fetched)).message).toContain('an empty file');
  });
});

describe('redirects', () => {
  it.each([301, 302, 303, 307, 308])('are followed with status %d', async (status) => {
    const { server, fetched } = await start({ '/start': redirectTo('next/../a.png', status) });
    await expect(fetched).resolves.toBe(PNG.toString('base64'));
    expect(server.requests.map(({ url }) => url)).toEqual(['/start', '/a.png']);
    await server.allClosed();
  });

  const CHAIN = { '/start': redirectTo('/1'), '/1': redirectTo('/2'), '/2': redirectTo('/3') };

  it('are followed as often as the limit says', async () => {
    const { fetched } = await start(CHAIN, { maxRedirects: 3 });
    await expect(fetched).resolves.toBe(PNG.toString('base64'));
  });

  it('are not followed once more', async () => {
    const { server, fetched } = await start(CHAIN, { maxRedirects: 2 });
    expect((await refusalOf(fetched)).message).toContain('more than 2 times');
    expect(server.requests).toHaveLength(3);
  });

  it('are not followed at all when the limit is 0', async () => {
    const { server, fetched } = await start(CHAIN, { maxRedirects: 0 });
    await refusalOf(fetched);
    expect(server.requests).toHaveLength(1);
  });

  it('in a circle end at the limit', async () => {
    const { server, fetched } = await start({ '/start': redirectTo('/1'), '/1': redirectTo('/start') });
    expect((await refusalOf(fetched)).message).toContain('more than 3 times');
    expect(server.requests).toHaveLength(4);
  });

  it.each([
    ['without a location', []],
    ['with two locations', ['location', '/a.png', 'location', '/b.png']],
  ])('%s are no image', async (_name, headers) => {
    const { fetched } = await start({ '/start': (res) => res.writeHead(302, headers).end(PNG) });
    expect((await refusalOf(fetched)).message).toContain('did not send the image');
  });

  it('do not wait for their body', async () => {
    const { server, fetched } = await start({
      '/start': (res) => {
        res.writeHead(302, { location: '/a.png' }).write('more to come');
      },
    });
    await expect(fetched).resolves.toBe(PNG.toString('base64'));
    await server.allClosed();
  });
});

describe('the limit on the size', () => {
  it('lets an image of just that size pass', async () => {
    const { fetched } = await start({}, { maxBytes: PNG.length });
    await expect(fetched).resolves.toBe(PNG.toString('base64'));
  });

  it('holds one byte more, declared or not', async () => {
    const maxBytes = PNG.length - 1;
    const declared = await start({}, { maxBytes });
    expect((await refusalOf(declared.fetched)).message).toContain(`larger than ${String(maxBytes)} bytes`);
    const chunked = await start({ '/start': (res) => (res.write(PNG), res.end()) }, { maxBytes });
    expect((await refusalOf(chunked.fetched)).message).toContain(`larger than ${String(maxBytes)} bytes`);
  });

  it('ends a body that declares more, before any of it', async () => {
    const { server, fetched } = await start({
      '/start': (res) => {
        res.writeHead(200, { 'content-length': '1000001' }).flushHeaders();
      },
    });
    expect((await refusalOf(fetched)).message).toContain('larger than');
    await server.allClosed();
  });

  it('ends a body without end as soon as it is exceeded', async () => {
    let written = 0;
    const { server, fetched } = await start({
      '/start': (res) => {
        const block = Buffer.alloc(64 * 1024);
        const more = (): void => {
          while (!res.destroyed && res.write(block)) written += block.length;
        };
        res.on('drain', more);
        more();
      },
    });
    expect((await refusalOf(fetched)).message).toContain('larger than');
    await server.allClosed();
    // The limit and what the buffers of two sockets hold.
    expect(written).toBeLessThan(50_000_000);
  });
});

describe('the limit on the time', () => {
  const SHORT = { timeoutMs: 60 };

  it('ends a body that trickles', async () => {
    const { server, fetched } = await start(
      {
        '/start': (res) => {
          const timer = setInterval(() => res.write('.'), 5);
          res.on('close', () => {
            clearInterval(timer);
          });
        },
      },
      SHORT,
    );
    expect((await refusalOf(fetched)).message).toBe('The image did not arrive within 0.06 s.');
    await server.allClosed();
  });

  it('ends the waiting for an answer', async () => {
    const { server, fetched } = await start({ '/start': () => undefined }, SHORT);
    expect((await refusalOf(fetched)).message).toContain('did not arrive within');
    await server.allClosed();
  });

  it('covers all redirects together', async () => {
    const { server, fetched } = await start(
      { '/start': redirectTo('/start') },
      { ...SHORT, maxRedirects: 1_000_000_000 },
    );
    expect((await refusalOf(fetched)).message).toContain('did not arrive within');
    await server.allClosed();
  });

  it('covers the resolution of the name', async () => {
    const fetchImage = imageFetcher({ ...SHORT, lookup: () => new Promise(() => undefined) });
    const error = await refusalOf(fetchImage('http://name.example/', unaborted()));
    expect(error.message).toContain('did not arrive within');
  });

  it('leaves no timer behind', async () => {
    const set = jest.spyOn(globalThis, 'setTimeout');
    const clear = jest.spyOn(globalThis, 'clearTimeout');
    const { fetched } = await start({}, { timeoutMs: 12_345_678 });
    await fetched;
    const index = set.mock.calls.findIndex(([, ms]) => ms === 12_345_678);
    expect(index).not.toBe(-1);
    expect(clear.mock.calls.flat()).toContain(set.mock.results[index]?.value);
  });
});

describe("the client's leaving", () => {
  it('before the start asks nobody', async () => {
    const reason = new Error('gone');
    const { server, fetched } = await start({}, {}, AbortSignal.abort(reason));
    await expect(fetched).rejects.toBe(reason);
    expect(server.requests).toHaveLength(0);
  });

  it('right after the start asks nobody', async () => {
    const client = new AbortController();
    const reason = new Error('gone');
    const connect = jest.spyOn(net, 'connect');
    const fetched = imageFetcher({ allowHosts: ['127.0.0.1'] })('http://127.0.0.1/', client.signal);
    client.abort(reason);
    await expect(fetched).rejects.toBe(reason);
    expect(connect).not.toHaveBeenCalled();
  });

  it('while the name is resolved ends the connection that waits for it', async () => {
    const client = new AbortController();
    const reason = new Error('gone');
    const connect = jest.spyOn(net, 'connect');
    const fetchImage = imageFetcher({
      lookup: () => {
        setImmediate(() => {
          client.abort(reason);
        });
        return new Promise(() => undefined);
      },
    });
    await expect(fetchImage('http://name.example/', client.signal)).rejects.toBe(reason);
    expect(connect.mock.results[0]?.value).toMatchObject({ destroyed: true });
  });

  it.each([
    ['before the answer', (): undefined => undefined],
    [
      'in the middle of the body',
      (res: ServerResponse): void => {
        res.writeHead(200, { 'content-length': '1000' }).write(PNG);
      },
    ],
  ])('%s closes the connection at once', async (_name, answer) => {
    const client = new AbortController();
    const reason = new Error('gone');
    const { server, fetched } = await start(
      {
        '/start': (res) => {
          answer(res);
          setImmediate(() => {
            client.abort(reason);
          });
        },
      },
      {},
      client.signal,
    );
    await expect(fetched).rejects.toBe(reason);
    await server.allClosed();
  });

  it('leaves no listener on its signal', async () => {
    const client = new AbortController();
    const { fetched } = await start({}, {}, client.signal);
    await fetched;
    expect(getEventListeners(client.signal, 'abort')).toEqual([]);
  });
});
