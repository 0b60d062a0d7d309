/** What a client may not make the gateway connect to, by whatever spelling, name or redirect. */

import { describe, expect, it, jest } from '@jest/globals';
import net from 'node:net';
import { systemLookup } from '../../../src/node/images/lookup.ts';
import {
  byPath,
  imageFetcher,
  playInternet,
  PNG,
  PUBLIC,
  redirectTo,
  refusalOf,
  startImageServer,
  unaborted,
} from './image-server.ts';

const LOOPBACK = [
  ...['127.0.0.1', '127.0.0.1.', '127.1', '127.0.1', '127.255.255.254', '0x7f.1', '0x7f000001', '0X7F.0.0.1'],
  ...[
    '2130706433',
    '017700000001',
    '0177.0.0.1',
    '0177.0x0.1',
    '127.0x1',
    '00000177.1',
    '0',
    '0.0.0.0',
    '0x0',
  ],
  ...[
    '127%2e0%2e0%2e1',
    '%31%32%37.0.0.1',
    '①②⑦.⓪.⓪.①',
    '127。0。0。1',
    '１２７.1',
    '127.0.0.1\t',
    '127\n.0.0.1',
  ],
  ...[
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[::]',
    '[::127.0.0.1]',
    '[::7f00:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
  ],
  ...['[0:0:0:0:0:FFFF:7F00:0001]', '[::ffff:0:127.0.0.1]'],
];

const INSIDE = [
  ...['10.0.0.1', '10.1', '0xa.1', '167772161', '172.16.0.1', '172.31.255.255', '192.168.1.1', '192.168.257'],
  ...['3232235777', '0300.0250.1.1', '100.64.0.1', '100.100.100.200', '169.254.169.254', '169.254.43518'],
  ...['0xa9fea9fe', '2852039166', '0251.0376.0251.0376', '169.254.170.2', '168.63.129.16', '192.0.0.192'],
  ...['192.0.2.1', '198.18.0.1', '198.51.100.7', '203.0.113.9', '224.0.0.1', '239.255.255.250', '240.0.0.1'],
  ...['255.255.255.255', '4294967295', '0xffffffff'],
  ...['[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[::169.254.169.254]', '[64:ff9b::169.254.169.254]'],
  ...[
    '[64:ff9b::a00:1]',
    '[64:ff9b:1::10.0.0.1]',
    '[2002:a9fe:a9fe::]',
    '[2002:7f00:1::1]',
    '[2001:0:7f00:1::]',
  ],
  ...['[fd00:ec2::254]', '[fc00::1]', '[fe80::1]', '[fec0::1]', '[ff02::1]', '[2001:db8::1]', '[100::1]'],
];

describe('a host that is an address', () => {
  it.each([...LOOPBACK, ...INSIDE])('%j is closed before anything connects', async (host) => {
    const server = await startImageServer(byPath({}));
    const connect = jest.spyOn(net, 'connect');
    const lookup = jest.fn(() => Promise.resolve([{ address: PUBLIC, family: 4 }]));
    const error = await refusalOf(
      imageFetcher({ lookup })(`http://${host}:${String(server.port)}/a.png`, unaborted()),
    );
    expect(error.message).toContain('an address that is not public');
    expect(connect).not.toHaveBeenCalled();
    expect(lookup).not.toHaveBeenCalled();
    expect(server.requests).toHaveLength(0);
  });

  it.each(['http:127.0.0.1', 'http:/127.0.0.1', 'http:\\\\127.0.0.1', 'http:///127.0.0.1', ' HTTP://127.1'])(
    '%j is closed, however it begins',
    async (url) => {
      const error = await refusalOf(imageFetcher()(url, unaborted()));
      expect(error.message).toContain('an address that is not public');
    },
  );

  it.each([
    ['http://127.0.0.1#@example.com/', 'not public'],
    ['http://127.0.0.1?@example.com/', 'not public'],
    ['http://127.0.0.1\\@example.com/', 'not public'],
    ['http://example.com@127.0.0.1/', 'user name or password'],
    ['http://user:word@example.com/', 'user name or password'],
    ['http://:word@example.com/', 'user name or password'],
    ['http://256.1.1.1/', 'not a valid URL'],
    ['http://[fe80::1%25eth0]/', 'not a valid URL'],
    ['http://1.2.3.4.5/', 'not a valid URL'],
    ['//127.0.0.1/a.png', 'not a valid URL'],
    ['/etc/passwd', 'not a valid URL'],
    ['', 'not a valid URL'],
    ['file:///etc/passwd', 'must begin with http'],
    ['ftp://example.com/a.png', 'must begin with http'],
    ['gopher://127.0.0.1:6379/_FLUSHALL', 'must begin with http'],
    ['data:image/png;base64,AAAA', 'must begin with http'],
    ['blob:http://example.com/1', 'must begin with http'],
    ['ws://example.com/', 'must begin with http'],
    ['javascript:1', 'must begin with http'],
  ])('%j is refused', async (url, message) => {
    const connect = jest.spyOn(net, 'connect');
    const lookup = jest.fn(() => Promise.resolve([{ address: PUBLIC, family: 4 }]));
    const error = await refusalOf(imageFetcher({ lookup })(url, unaborted()));
    expect(error.message).toContain(message);
    expect(connect).not.toHaveBeenCalled();
    expect(lookup).not.toHaveBeenCalled();
  });

  it('a public one is connected to', async () => {
    const meant = playInternet();
    const server = await startImageServer(byPath({}));
    const url = `http://${PUBLIC}:${String(server.port)}/a.png`;
    await expect(imageFetcher()(url, unaborted())).resolves.toBe(PNG.toString('base64'));
    const six = `http://[2606:4700:4700::1111]:${String(server.port)}/a.png`;
    await expect(imageFetcher()(six, unaborted())).resolves.toBe(PNG.toString('base64'));
    expect(meant).toEqual([PUBLIC, '2606:4700:4700::1111']);
  });
});

describe('a host that is a name', () => {
  it.each([
    ['127.0.0.1', 4],
    ['0.0.0.0', 4],
    ['10.0.0.5', 4],
    ['169.254.169.254', 4],
    ['100.100.100.200', 4],
    ['::1', 6],
    ['::ffff:127.0.0.1', 6],
    ['64:ff9b::7f00:1', 6],
    ['fd00:ec2::254', 6],
    ['fe80::1%lo', 6],
    ['nonsense', 4],
  ])('is closed when it resolves to %s', async (address, family) => {
    const meant = playInternet();
    const server = await startImageServer(byPath({}));
    const fetchImage = imageFetcher({ lookup: () => Promise.resolve([{ address, family }]) });
    const error = await refusalOf(fetchImage(`http://name.example:${String(server.port)}/`, unaborted()));
    expect(error.message).toContain('cannot be found or is not public');
    expect(meant).toEqual([]);
    expect(server.requests).toHaveLength(0);
  });

  it.each([[[PUBLIC, '127.0.0.1']], [['10.0.0.1', PUBLIC]], [[PUBLIC, '2606:4700::1', '::1']]])(
    'is closed when one of several addresses is: %j',
    async (addresses) => {
      const meant = playInternet();
      const fetchImage = imageFetcher({
        lookup: () => Promise.resolve(addresses.map((address) => ({ address, family: net.isIP(address) }))),
      });
      await refusalOf(fetchImage('http://name.example/', unaborted()));
      expect(meant).toEqual([]);
    },
  );

  it('is refused alike when it is closed, unknown or without an address', async () => {
    const closed = imageFetcher({ lookup: () => Promise.resolve([{ address: '10.0.0.1', family: 4 }]) });
    const unknown = imageFetcher({ lookup: () => Promise.reject(new Error('getaddrinfo ENOTFOUND')) });
    const empty = imageFetcher({ lookup: () => Promise.resolve([]) });
    const messages = await Promise.all(
      [closed, unknown, empty].map(async (fetchImage) => {
        return (await refusalOf(fetchImage('http://name.example/', unaborted()))).message;
      }),
    );
    expect(new Set(messages).size).toBe(1);
  });

  it('is closed as localhost, by the resolver of the system', async () => {
    const server = await startImageServer(byPath({}));
    const fetchImage = imageFetcher({ lookup: systemLookup });
    for (const name of ['localhost', 'LOCALHOST', 'localhost.']) {
      await refusalOf(fetchImage(`http://${name}:${String(server.port)}/`, unaborted()));
    }
    expect(server.requests).toHaveLength(0);
  });

  it('is resolved once for a connection, which goes to what was checked', async () => {
    const meant = playInternet();
    const server = await startImageServer(byPath({}));
    const lookup = flipping(PUBLIC, '127.0.0.1');
    const fetchImage = imageFetcher({ lookup });
    const url = `http://rebind.example:${String(server.port)}/a.png`;
    await expect(fetchImage(url, unaborted())).resolves.toBe(PNG.toString('base64'));
    expect(meant).toEqual([PUBLIC]);
    expect(lookup).toHaveBeenCalledTimes(1);
    // The next fetch asks again and is refused.
    await refusalOf(fetchImage(url, unaborted()));
    expect(meant).toEqual([PUBLIC]);
    expect(server.requests).toHaveLength(1);
  });

  it('is resolved and checked again when it redirects to itself', async () => {
    const meant = playInternet();
    const server = await startImageServer(byPath({ '/start': redirectTo('/a.png') }));
    const lookup = flipping(PUBLIC, '127.0.0.1');
    await refusalOf(
      imageFetcher({ lookup })(`http://rebind.example:${String(server.port)}/start`, unaborted()),
    );
    expect(meant).toEqual([PUBLIC]);
    expect(server.requests.map(({ url }) => url)).toEqual(['/start']);
    expect(lookup).toHaveBeenCalledTimes(2);
  });
});

describe('a redirect', () => {
  it.each([
    ['http://127.0.0.1:PORT/a.png', 'not public'],
    ['//127.0.0.1:PORT/a.png', 'not public'],
    ['http://2130706433:PORT/a.png', 'not public'],
    ['http://[::ffff:7f00:1]:PORT/a.png', 'not public'],
    ['http://169.254.169.254/latest/meta-data/', 'not public'],
    ['http://[fd00:ec2::254]/latest/', 'not public'],
    ['http://inside.example:PORT/a.png', 'is not public'],
    ['\\\\127.0.0.1:PORT\\a.png', 'not public'],
    ['http://user:word@public.example:PORT/a.png', 'user name or password'],
    ['file:///etc/passwd', 'must begin with http'],
    ['data:image/png;base64,iVBORw0KGgo=', 'must begin with http'],
    ['ftp://public.example/a.png', 'must begin with http'],
    ['http://256.256.256.256/', 'no valid URL'],
    ['http://', 'no valid URL'],
  ])('from a public host to %s is refused', async (location, message) => {
    const meant = playInternet();
    const server = await startImageServer((req, res) => {
      redirectTo(location.replace('PORT', String(server.port)))(res);
    });
    const fetchImage = imageFetcher({
      lookup: (name) =>
        Promise.resolve([{ address: name === 'inside.example' ? '10.0.0.1' : PUBLIC, family: 4 }]),
    });
    const error = await refusalOf(fetchImage(`http://public.example:${String(server.port)}/`, unaborted()));
    expect(error.message).toContain(message);
    expect(meant).toEqual([PUBLIC]);
    expect(server.requests).toHaveLength(1);
  });

  it('from an opened host to another port of it is checked like any other', async () => {
    const inside = await startImageServer(byPath({}));
    const server = await startImageServer(byPath({ '/start': redirectTo(`${inside.url}/a.png`) }));
    const error = await refusalOf(
      imageFetcher({ allowHosts: [server.host] })(`${server.url}/start`, unaborted()),
    );
    expect(error.message).toContain('not public');
    expect(inside.requests).toHaveLength(0);
  });
});

/** A name whose owner answers otherwise the second time. */
function flipping(...addresses: readonly string[]) {
  const left = [...addresses];
  return jest.fn(() => Promise.resolve([{ address: left.shift() ?? '127.0.0.1', family: 4 }]));
}
