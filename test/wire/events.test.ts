/** Server-sent events out of bytes, the fast way and the standard's. */

import { describe, expect, it } from '@jest/globals';
import type { ByteText } from '../../src/core/stream.ts';
import { createEventReader } from '../../src/wire/events.ts';

function read(text: string, { isPlain = false, maxBytes = 1000 } = {}): string[] {
  const events: string[] = [];
  const reader = createEventReader(maxBytes, {
    plain(data) {
      if (isPlain) events.push(`plain ${data}`);
      return isPlain;
    },
    event(data, name) {
      events.push(name === '' ? data : `${name}: ${data}`);
    },
  });
  for (const byte of text) reader.push(byte as ByteText);
  reader.end();
  return events;
}

describe('an event reader', () => {
  it.each([
    ['plain events', 'data: {"a":1}\n\ndata: [DONE]\n\n', ['{"a":1}', '[DONE]']],
    ['CRLF', 'data: 1\r\n\r\ndata: 2\r\n\r\n', ['1', '2']],
    ['data without the space', 'data:1\n\n', ['1']],
    ['several lines of data', 'data: {"a":\ndata: 1}\n\n', ['{"a":\n1}']],
    ['comments and heartbeats', ': ping\n\ndata: 1\n\n:\n\n', ['1']],
    ['event names', 'event: error\ndata: {"message":"x"}\n\n', ['error: {"message":"x"}']],
    ['fields that mean nothing here', 'id: 7\nretry: 10\ndata: 1\n\n', ['1']],
    ['a byte order mark', '\xef\xbb\xbfdata: 1\n\n', ['1']],
    ['a last event without its blank line', 'data: 1\n\ndata: 2\n', ['1', '2']],
    ['half a line at the end, which is dropped', 'data: 1\n\ndata: {"a', ['1']],
    ['an error that was not sent as data', 'error: {"code":500}\n\n', ['error: {"code":500}']],
    ['a JSON body where a stream should be', '{"error":"no such model"}', ['{"error":"no such model"}']],
    ['a terminator without its line end', 'data: 1\n\ndata: [DONE]', ['1', '[DONE]']],
    ['a JSON line where a stream should be', '{"error":"no such model"}\n', ['{"error":"no such model"}']],
  ])('reads %s', (_, text, events) => {
    expect(read(text)).toEqual(events);
  });

  it('offers whole data lines to the fast way first', () => {
    expect(read('data: 1\n\ndata: 2\n\n', { isPlain: true })).toEqual(['plain 1', 'plain 2']);
  });

  it('does not offer data that belongs to a begun event', () => {
    expect(read('event: error\ndata: 1\n\n', { isPlain: true })).toEqual(['error: 1']);
  });

  it('refuses an event that is too large', () => {
    const refused = expect.objectContaining({ reason: 'upstream_invalid_response' });
    expect(() => read(`data: ${'x'.repeat(50)}\n\n`, { maxBytes: 40 })).toThrow(refused);
    expect(() => read('data: 12345678\n'.repeat(10), { maxBytes: 40 })).toThrow(refused);
  });
});
