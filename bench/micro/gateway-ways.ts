/** The gateway's own ways from a backend's line to the client's bytes, as the data path takes them. */

import { createOllamaDecoder } from '../../src/backends/ollama/stream.ts';
import { createChatPassthrough } from '../../src/backends/openai/stream.ts';
import { joinConverter } from '../../src/core/convert.ts';
import type { AnswerShape, DecodeLimits } from '../../src/core/kind.ts';
import type { ByteText, Converter } from '../../src/core/stream.ts';
import { chatFormat } from '../../src/surfaces/openai-chat/operation.ts';

/** What toString('latin1') ends in; every Node has it, its types do not. */
type Latin1Sliceable = Buffer & { latin1Slice(): string };

export type Way = (reads: readonly Buffer[], send: (output: string) => void) => void;

const LIMITS: DecodeLimits = { maxRecordBytes: 16 * 1024 * 1024, maxResponseBytes: 64 * 1024 * 1024 };

const SHAPE: AnswerShape = {
  id: 'chatcmpl-0123456789abcdef0123456789abcdef',
  created: 1767225600,
  model: 'llama3.2:3b',
  fingerprint: 'fp_01234567',
  isStream: true,
  index: 0,
  choices: 1,
  isPart: false,
  includeUsage: false,
  reasoningKeys: 'both',
  logprobs: false,
  firstCallOnly: false,
  legacyFunctions: false,
  customTools: [],
  newId: () => '0123456789abcdef0123456789abcdef',
};

export const ollamaFast = wayOf(() => ollamaConverter(true));
export const ollamaSlow = wayOf(() => ollamaConverter(false));
export const openaiTemplate = wayOf(() => createChatPassthrough(SHAPE, LIMITS, true));
export const openaiParsed = wayOf(() => createChatPassthrough(SHAPE, LIMITS, false));

function ollamaConverter(useFastPath: boolean): Converter {
  const encoder = chatFormat.createEncoder(SHAPE, LIMITS);
  return joinConverter(createOllamaDecoder(encoder, LIMITS, useFastPath), encoder);
}

/** One converter a stream, one push a read, one text to send a push. */
function wayOf(createConverter: () => Converter): Way {
  return (reads, send) => {
    const converter = createConverter();
    for (const read of reads) {
      converter.push((read as Latin1Sliceable).latin1Slice() as ByteText);
      send(converter.take());
    }
  };
}
