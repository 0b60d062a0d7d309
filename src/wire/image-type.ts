/** What an image is by its first bytes; what its sender calls it does not count. */

import type { ByteText } from '../core/stream.ts';

const ACCEPTED = ['PNG', 'JPEG', 'WebP'];
export const ACCEPTED_NAMES = 'PNG, JPEG or WebP';

const SIGNATURES: readonly (readonly [RegExp, string])[] = [
  [/^\x89PNG\r\n\x1a\n/, 'PNG'],
  [/^\xff\xd8\xff/, 'JPEG'],
  [/^RIFF[^]{4}WEBP/, 'WebP'],
  [/^GIF8/, 'GIF'],
  // ISO base media (ISO/IEC 14496-12): a box `ftyp` with the brands; HEIF's own brands may stand before AVIF's.
  [/^[^]{4}ftyp[^]{0,32}?avi[fs]/, 'AVIF'],
  [/^[^]{4}ftyp(?:hei|hev|mif1|msf1)/, 'HEIC'],
  [/^[^]{4}ftyp/, 'video'],
  [/^(?:\xff\x0a|\0{3}\x0cJXL )/, 'JPEG XL'],
  [/^(?:\xff\x4f\xff\x51|\0{3}\x0cjP {2})/, 'JPEG 2000'],
  [/^(?:II[*+]\0|MM\0[*+])/, 'TIFF'],
  [/^BM[^]{4}\0{4}/, 'BMP'],
  [/^\0\0[\x01\x02]\0/, 'icon'],
  [/^8BPS/, 'Photoshop'],
  [/^%PDF-/, 'PDF'],
  [/^\x1f\x8b/, 'gzip'],
  // Text: comments and declarations may stand before the element that tells.
  [/^\s*<(?:[^]*<)?(?:!doctype html|html)[\s>]/i, 'HTML'],
  [/^\s*<(?:[^]*<)?svg[\s>]/i, 'SVG'],
];

/** Bytes of a file that tell its type. */
export const TELLING_BYTES = 1024;
const UTF8_MARK = /^\xef\xbb\xbf/;

/** undefined when the file that begins so is what models read; else what it is. */
export function unfitType(start: ByteText): string | undefined {
  const bytes = start.slice(0, TELLING_BYTES).replace(UTF8_MARK, '');
  const name = SIGNATURES.find(([signature]) => signature.test(bytes))?.[1];
  if (name === undefined) return 'no image of a known type';
  return ACCEPTED.includes(name) ? undefined : `${name} data`;
}
