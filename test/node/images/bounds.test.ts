/** What images take together: the bytes of one request, the downloads of all. */

import { getEventListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { GatewayError } from '../../../src/core/errors.ts';
import { createSlots } from '../../../src/node/images/slots.ts';
import { eventually } from '../../support/setup.ts';
import { byPath, imageFetchers, PNG, refusalOf, startImageServer, unaborted } from './image-server.ts';

describe('the images of a request', () => {
  const TWO = { maxTotalBytes: 2 * PNG.length };

  it('have a limit together, which names the one that is too much', async () => {
    const server = await startImageServer(byPath({}));
    const fetchImage = imageFetchers({ ...TWO, allowHosts: [server.host] })();
    await fetchImage(`${server.url}/1`, unaborted());
    await fetchImage(`${server.url}/2`, unaborted());
    const { message } = await refusalOf(fetchImage(`${server.url}/3`, unaborted()));
    expect(message).toBe(
      `The images of the request are larger than ${String(2 * PNG.length)} bytes together. Send fewer or smaller ones.`,
    );
    await server.allClosed();
  });

  it('are counted while they come, without a length too', async () => {
    let written = 0;
    const server = await startImageServer((_, res) => {
      const block = Buffer.alloc(1000, PNG);
      const more = (): void => {
        while (!res.destroyed && res.write(block)) written += block.length;
      };
      res.on('drain', more);
      more();
    });
    const fetchImage = imageFetchers({
      maxBytes: 1_000_000_000,
      maxTotalBytes: 1_000_000,
      allowHosts: [server.host],
    })();
    const signal = unaborted();
    const both = [1, 2].map((each) => refusalOf(fetchImage(`${server.url}/${String(each)}`, signal)));
    for (const { message } of await Promise.all(both)) expect(message).toContain('1000000 bytes together');
    await server.allClosed();
    // The limit and what the buffers of the sockets hold.
    expect(written).toBeLessThan(50_000_000);
  });

  it('are refused by their length alone, before any of it has come', async () => {
    const server = await startImageServer((_, res) => {
      res.writeHead(200, { 'content-length': String(2 * PNG.length + 1) }).flushHeaders();
    });
    const fetchImage = imageFetchers({ ...TWO, allowHosts: [server.host] })();
    expect((await refusalOf(fetchImage(server.url, unaborted()))).message).toContain('together');
    await server.allClosed();
  });

  it('do not count for the next request', async () => {
    const server = await startImageServer(byPath({}));
    const begin = imageFetchers({ maxTotalBytes: PNG.length, allowHosts: [server.host] });
    for (let i = 0; i < 3; i++) await begin()(server.url, unaborted());
    expect(server.requests).toHaveLength(3);
  });
});

/** Holds every answer until it is let go. */
async function startHeldServer() {
  const held: ServerResponse[] = [];
  const server = await startImageServer((_, res) => held.push(res));
  return {
    ...server,
    held,
    letGo: () => held.shift()?.end(PNG),
  };
}

/** Listeners of one signal, beyond which Node takes them for a leak. */
const WITHOUT_WARNING = 10;

describe('downloads', () => {
  it('of one request are four at a time, and Node warns of nothing with 16 of them', async () => {
    const server = await startHeldServer();
    const fetchImage = imageFetchers({ allowHosts: [server.host] })();
    const signal = unaborted();
    const all = Array.from({ length: 16 }, (_, i) => fetchImage(`${server.url}/${String(i)}`, signal));
    for (let left = 16; left > 0; left--) {
      await eventually(() => server.held.length === Math.min(4, left));
      expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(WITHOUT_WARNING);
      server.letGo();
    }
    expect(await Promise.all(all)).toEqual(all.map(() => PNG.toString('base64')));
  });

  it('of all requests are so many at a time, in the order in which they were asked for', async () => {
    const server = await startHeldServer();
    const begin = imageFetchers({ allowHosts: [server.host], downloads: createSlots(() => 2) });
    const order: number[] = [];
    const all = [1, 2, 3, 4].map(async (each) => {
      await begin()(`${server.url}/${String(each)}`, unaborted());
      order.push(each);
    });
    for (let ended = 0; ended < 4; ended++) {
      await eventually(() => server.requests.length === Math.min(4, ended + 2));
      server.letGo();
      await eventually(() => order.length === ended + 1);
    }
    await Promise.all(all);
    expect(order).toEqual([1, 2, 3, 4]);
  });

  it('that find no room in their time are no fault of the request', async () => {
    const server = await startHeldServer();
    const options = { allowHosts: [server.host], downloads: createSlots(() => 1) };
    const first = imageFetchers(options)()(server.url, unaborted());
    await eventually(() => server.held.length === 1);
    const waiting = imageFetchers({ ...options, timeoutMs: 30 })()(server.url, unaborted());
    await expect(waiting).rejects.toMatchObject({ reason: 'server_overloaded', retryAfterSeconds: 1 });
    expect(server.requests).toHaveLength(1);
    server.letGo();
    await first;
  });

  it('that are not wanted any more leave the line', async () => {
    const server = await startHeldServer();
    const begin = imageFetchers({ allowHosts: [server.host], downloads: createSlots(() => 1) });
    const first = begin()(server.url, unaborted());
    const leaving = new AbortController();
    const second = begin()(server.url, leaving.signal);
    const third = begin()(server.url, unaborted());
    await eventually(() => server.held.length === 1);
    const reason = new GatewayError('client_closed', { message: 'gone' });
    leaving.abort(reason);
    await expect(second).rejects.toBe(reason);
    server.letGo();
    await first;
    await eventually(() => server.held.length === 1);
    server.letGo();
    await third;
    expect(server.requests).toHaveLength(2);
  });

  it('give back their slots when they fail', async () => {
    const server = await startImageServer((_, res) => res.writeHead(500).end());
    const begin = imageFetchers({ allowHosts: [server.host], downloads: createSlots(() => 1) });
    for (let i = 0; i < 3; i++) await refusalOf(begin()(server.url, unaborted()));
    expect(server.requests).toHaveLength(3);
  });
});
