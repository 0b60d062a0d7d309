/** The collector of answers in one piece. */

import { expect, it } from '@jest/globals';
import { createCollector } from '../../src/core/collect.ts';
import type { ByteText } from '../../src/core/stream.ts';

it('an answer that was too large stays so: what follows of it is no answer', () => {
  const collector = createCollector(
    { maxRecordBytes: 10, maxResponseBytes: 10 },
    'Ask for less.',
    (bytes) => ({
      bytes,
      usage: null,
      model: '',
    }),
  );
  const tooLarge = /larger than 10 bytes\. Ask for less\./;
  expect(() => collector.push('12345678901' as ByteText)).toThrow(tooLarge);
  expect(() => collector.push('1' as ByteText)).toThrow(tooLarge);
  expect(() => collector.end()).toThrow(tooLarge);
  expect(collector.take()).toBe('');
});
