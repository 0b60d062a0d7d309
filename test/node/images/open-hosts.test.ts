import { describe, expect, it } from '@jest/globals';
import { createOpenHosts } from '../../../src/node/images/open-hosts.ts';

describe('hosts that the operator opened', () => {
  it.each([
    ['images.lan', 'http://images.lan/a.png'],
    ['images.lan', 'https://images.lan:8443/a.png'],
    ['images.lan', 'http://images.lan./a.png'],
    ['Images.LAN.', 'http://images.lan/a.png'],
    ['images.lan:8080', 'http://images.lan:8080/'],
    ['images.lan:80', 'http://images.lan/'],
    ['images.lan:443', 'https://images.lan/'],
    ['127.0.0.1', 'http://0x7f.1/'],
    ['127.1', 'http://127.0.0.1/'],
    ['::1', 'http://[::1]/'],
    ['[::1]', 'http://[0:0::1]:90/'],
    ['[::1]:90', 'http://[::1]:90/'],
    ['bücher.lan', 'http://xn--bcher-kva.lan/'],
  ])('%s opens %s', (entry, url) => {
    expect(createOpenHosts(['other.lan', entry])(new URL(url))).toBe(true);
  });

  it.each([
    ['images.lan', 'http://a.images.lan/'],
    ['images.lan', 'http://images.lan.evil.example/'],
    ['images.lan', 'http://lan/'],
    ['images.lan:8080', 'http://images.lan/'],
    ['images.lan:80', 'https://images.lan/'],
    ['images.lan:80', 'http://images.lan:8080/'],
    ['127.0.0.1', 'http://127.0.0.2/'],
    ['::1', 'http://[::2]/'],
  ])('%s does not open %s', (entry, url) => {
    expect(createOpenHosts([entry])(new URL(url))).toBe(false);
  });

  it.each([
    ...[
      '',
      ' ',
      '*',
      '*.lan',
      'http://images.lan',
      'images.lan/',
      'a@images.lan',
      'images.lan:',
      'images.lan:http',
      'images.lan:65536',
    ],
    ...['10.0.0.0/8', '[::1', '::1]:80', 'a b', '256.1.1.1', '[fe80::1%eth0]'],
  ])("'%s' is not taken for a host", (entry) => {
    expect(() => createOpenHosts([entry])).toThrow(TypeError);
  });
});
