/** A prompt that does not fit, in the words of every server → OpenAI's error, which agents look for. */

import { excerptOf, GatewayError, withoutAddresses } from './errors.ts';

/** What a server says of its error. */
export interface Complaint {
  readonly message: string;
  readonly type?: string;
  readonly code?: string | undefined;
  /** Token counts, where it gives them apart from the message (llama.cpp). */
  readonly promptTokens?: number | undefined;
  readonly contextTokens?: number | undefined;
}

/** llama.cpp and OpenAI have names for it, the others only sentences. */
const NAMES = /context_length_exceeded|exceed_context_size/i;
const SENTENCES = [
  /maximum (?:context|model|sequence) length/i,
  /exceeds? (?:the )?(?:available )?(?:model's )?(?:maximum )?context (?:size|length|window)/i,
  /longer than the (?:model's )?(?:maximum )?(?:context|model) length/i,
  /context length of only \d+ tokens/i,
];

/** OpenAI's own sentence, with both numbers in it. */
const COMPLETE = /maximum context length is \d+ tokens\. However, /i;
const LIMITS = [
  /(?:context|model|sequence) length (?:is |of (?:only )?)?\(?(\d+)/i,
  /context (?:size|window) \((\d+) tokens\)/i,
];
const SIZES = [
  /(?:request|input) \((\d+) tokens\)/i,
  /(?:prompt|input)[^(]{0,200} \(?length \(?(\d+)\)/i,
  /(?:resulted in|requested|keep the first) (\d+) tokens/i,
];

/** undefined when the complaint is about something else. `param`: what holds the prompt. */
export function contextLengthError(complaint: Complaint, param: string): GatewayError | undefined {
  const { type = '', code = '' } = complaint;
  const message = excerptOf(complaint.message);
  const isNamed = NAMES.test(excerptOf(`${type} ${code} ${message}`));
  if (!isNamed && !SENTENCES.some((sentence) => sentence.test(message))) return undefined;
  return new GatewayError('context_length_exceeded', {
    message: sentenceOf({ ...complaint, message }, param),
    param,
  });
}

function sentenceOf({ message, promptTokens, contextTokens }: Complaint, param: string): string {
  if (COMPLETE.test(message)) return withoutAddresses(message);
  const limit = contextTokens ?? numberIn(message, LIMITS);
  const size = promptTokens ?? numberIn(message, SIZES);
  const wish = `Please reduce the length of the ${param}.`;
  if (limit === undefined) {
    return `This model's maximum context length is exceeded. ${wish} (${withoutAddresses(message)})`;
  }
  const told = size === undefined ? '' : ` However, your ${param} resulted in ${String(size)} tokens.`;
  return `This model's maximum context length is ${String(limit)} tokens.${told} ${wish}`;
}

function numberIn(text: string, patterns: readonly RegExp[]): string | undefined {
  for (const pattern of patterns) {
    const found = pattern.exec(text)?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}
