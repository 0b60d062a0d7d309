/** The relay by itself, between a real server and a client that reads bytes. */

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ByteText } from '../../src/core/stream.ts';
import { createRelay } from '../../src/http/relay.ts';
import { HEALTH_REQUEST, openWireClient, type WireClient } from '../support/wire-client.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A client whose requests are answered by `answer`. */
async function openClient(answer: (res: ServerResponse) => void): Promise<WireClient> {
  const server = createServer((_req, res) => {
    answer(res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return openWireClient((server.address() as AddressInfo).port);
}

const bytes = (text: string): ByteText => text as ByteText;

describe('an answer that was ended', () => {
  it.each([true, false])('says nothing more, whoever goes on writing (stream: %s)', async (isStream) => {
    const client = await openClient((res) => {
      const relay = createRelay(res, isStream);
      relay.end(bytes('all'));
      relay.end(bytes('more'));
      if (isStream) relay.write(bytes('and more'));
      relay.comment('and a comment');
    });
    client.send(HEALTH_REQUEST);
    await client.until('all');
    client.send(HEALTH_REQUEST.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
    const seen = await client.closed;
    expect(seen.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(seen).not.toContain('more');
    expect(seen).not.toContain('comment');
  });
});
