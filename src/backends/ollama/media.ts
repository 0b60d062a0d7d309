/** Images and sounds of a message → the base64 texts that Ollama takes for both. */

import type { ChatRequest, Content } from '../../core/chat.ts';
import { GatewayError } from '../../core/errors.ts';
import type { ByteText } from '../../core/stream.ts';
import { ACCEPTED_NAMES, TELLING_BYTES, unfitType } from '../../wire/image-type.ts';

export type Images = NonNullable<ChatRequest['images']>;
export const NO_IMAGES: Images = new Map();

/** What Ollama recognises as sound. */
const SOUNDS: ReadonlySet<string> = new Set(['wav', 'mp3']);

/** Ollama tells sounds from images by their bytes. Throws GatewayError (400) naming the part at fault. */
export function mediaOf(content: Content, messageIndex: number, images: Images): string[] {
  if (typeof content === 'string' || !content) return [];
  return content.flatMap((part, partIndex) => {
    if (part.type === 'text' || part.type === 'refusal') return [];
    const param = `messages[${String(messageIndex)}].content[${String(partIndex)}]`;
    if (part.type === 'image_url') {
      const url = typeof part.image_url === 'string' ? part.image_url : part.image_url.url;
      return images.get(url) ?? imageBase64(url, param);
    }
    if (part.type === 'input_audio' && SOUNDS.has(part.input_audio.format)) {
      return (
        toStandardBase64(part.input_audio.data) ?? invalid(`${param}.input_audio.data`, 'base64 audio data')
      );
    }
    throw new GatewayError('unsupported_parameter', {
      message: `The backend of this model cannot read this part of type '${part.type}'. Send text, images, or sound as wav or mp3.`,
      param,
    });
  });
}

const DATA_URI = /^data:([^,]*),/i;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** A data URI, or base64 alone as some clients send it → padded standard base64. */
function imageBase64(url: string, param: string): string {
  const [head = '', declared = ''] = DATA_URI.exec(url) ?? [];
  const data = url.slice(head.length);
  const isBase64 = head === '' || /;\s*base64$/i.test(declared);
  const standard = isBase64 ? toStandardBase64(data) : percentToBase64(data);
  if (standard === undefined) return invalid(`${param}.image_url`, 'a data URI with base64 image data');
  const unfit = /^(?:image\/|;|$)/i.test(declared) ? unfitType(startOf(standard)) : 'data that is no image';
  if (unfit === undefined) return standard;
  throw new GatewayError('invalid_request', {
    message: `Invalid '${param}.image_url': it holds ${unfit}, which the model cannot read. Send ${ACCEPTED_NAMES}.`,
    param: `${param}.image_url`,
    code: 'invalid_image_format',
  });
}

function startOf(base64: string): ByteText {
  return atob(base64.slice(0, Math.ceil(TELLING_BYTES / 3) * 4)) as ByteText;
}

function invalid(param: string, expected: string): never {
  throw new GatewayError('invalid_request', {
    message: `Invalid '${param}': expected ${expected}.`,
    param,
    code: 'invalid_value',
  });
}

/** Accepts the URL-safe alphabet, line breaks and missing padding. */
function toStandardBase64(data: string): string | undefined {
  const clean = percentDecoded(data).replace(/\s+/g, '').replace(/-/g, '+').replace(/_/g, '/');
  const body = withoutPadding(clean);
  if (body === '' || body.length % 4 === 1) return undefined;
  const padded = body + '='.repeat((4 - (body.length % 4)) % 4);
  return BASE64.test(padded) ? padded : undefined;
}

/** An expression would look for the end anew from each of many signs in the middle. */
function withoutPadding(base64: string): string {
  let end = base64.length;
  while (end > 0 && base64[end - 1] === '=') end--;
  return base64.slice(0, end);
}

function percentToBase64(data: string): string | undefined {
  const bytes = percentDecoded(data);
  try {
    return bytes === '' ? undefined : btoa(bytes);
  } catch {
    return undefined; // a character that is no byte
  }
}

function percentDecoded(data: string): string {
  if (!data.includes('%')) return data;
  return data.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
