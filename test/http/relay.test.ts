/** A client that reads slower than is written to it, as the relay meets it. */

import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import type { ByteText } from '../../src/core/stream.ts';
import { createRelay } from '../../src/http/relay.ts';
import { eventually } from '../support/setup.ts';

const PIECE = 'x'.repeat(1_000_000) as ByteText;

it.each([
  ['its socket', 1],
  ['its response, where there are no chunks', 0],
])('is waited for once, however often it has no room: by %s', async (_, httpVersionMinor) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const outgoing = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent: false });
  const [req, res] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  req.httpVersionMinor = httpVersionMinor;
  const listeners = (): number => res.listenerCount('drain') + (res.socket?.listenerCount('drain') ?? 0);
  const before = listeners();
  const relay = createRelay(res, true);
  let drained = 0;
  relay.onDrain = () => drained++;

  const arrived = once(outgoing, 'response') as Promise<[IncomingMessage]>;
  for (let round = 1; round <= 3; round++) {
    while (relay.write(PIECE));
    for (let i = 0; i < 10; i++) relay.write(PIECE);
    expect(listeners() - before).toBe(1);
    const [answer] = await arrived;
    answer.resume();
    await eventually(() => drained === round);
    answer.pause();
  }
  outgoing.destroy();
  server.close();
});
