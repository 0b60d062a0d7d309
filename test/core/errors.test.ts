/** The words of upstream servers, made fit for clients. */

import { describe, expect, it } from '@jest/globals';
import { withoutAddresses } from '../../src/core/errors.ts';

describe('the words of an upstream server', () => {
  it.each([
    ['Post "http://10.1.2.3:8080/x": no', 'Post "[address]": no'],
    ['dial tcp 10.0.0.7:41234: refused', 'dial tcp [address]: refused'],
    ['dial tcp [fe80::1]:11434: refused', 'dial tcp [address]: refused'],
    ['dial tcp: lookup gpu-7.corp.internal: no such host', 'dial tcp: lookup [address]: no such host'],
    ['lookup ollama on 127.0.0.11:53: no such host', 'lookup [address] on [address]: no such host'],
    ['dial tcp gpu-7.corp.internal: timeout', 'dial tcp [address]: timeout'],
    ['try gpu-8.corp.internal:11434', 'try [address]'],
    ['Cannot connect to host gpu-7:8000 ssl:default', 'Cannot connect to host [address] ssl:default'],
    ['nothing on localhost:1234', 'nothing on [address]'],
    ["HTTPConnectionPool(host='gpu7', port=80)", "HTTPConnectionPool(host='[address]', port=80)"],
    ['getaddrinfo ENOTFOUND gpu7', 'getaddrinfo ENOTFOUND [address]'],
    ['connect ECONNREFUSED ::1:11434', 'connect ECONNREFUSED [address]'],
    ['cannot open /usr/share/models/x.gguf', 'cannot open [path]'],
  ])('%s becomes %s', (said, told) => {
    expect(withoutAddresses(said)).toBe(told);
  });

  it.each([
    "model 'llama3.2:latest' not found",
    'registry.ollama.ai/library/m does not support tools',
    'option "num_ctx" must be of type integer',
    'index 3: expected 40 tokens, got 4096 at 12:30',
    'the dial was turned, and a lookup of the table failed',
  ])('%s stay as they are', (said) => {
    expect(withoutAddresses(said)).toBe(said);
  });

  it('are cut where a client would stop to read, and not within an address', () => {
    expect(withoutAddresses('word '.repeat(1000))).toHaveLength(2000);
    for (let before = 4050; before < 4100; before++) {
      expect(withoutAddresses(`${'http://a.example/'.padEnd(before, 'x')} http://10.0.0.9/x`)).not.toContain(
        '10.',
      );
    }
  });

  it.each([
    ['the beginnings of schemes', 'ha-'.repeat(100_000)],
    ['the beginnings of addresses', '['.repeat(100_000) + ':'.repeat(200_000)],
    ['the beginnings of paths', '/a'.repeat(100_000) + '//'.repeat(100_000)],
    ['the beginnings of host names', 'a.'.repeat(100_000) + 'lookup '.repeat(50_000)],
    ['colons', ':'.repeat(300_000)],
  ])('take no time, however many of %s are in them', (_, said) => {
    const startedMs = performance.now();
    withoutAddresses(said);
    expect(performance.now() - startedMs).toBeLessThan(300);
  });
});
