import { describe, expect, it } from '@jest/globals';
import type { ByteText } from '../../src/core/stream.ts';
import { unfitType } from '../../src/wire/image-type.ts';

const bytes = (text: string): ByteText => text as ByteText;
/** The first box of an ISO media file. */
const brands = (...names: readonly string[]): string => `\0\0\0\x20ftyp${names.join('')}`;

describe('the type of an image', () => {
  it.each([
    ['PNG', '\x89PNG\r\n\x1a\n\0\0\0\rIHDR'],
    ['JPEG, JFIF', '\xff\xd8\xff\xe0\0\x10JFIF'],
    ['JPEG, Exif', '\xff\xd8\xff\xe1\0\x10Exif'],
    ['JPEG, raw', '\xff\xd8\xff\xdb'],
    ['WebP, lossy', 'RIFF\x24\0\0\0WEBPVP8 '],
    ['WebP, extended', 'RIFF\n\r\n\rWEBPVP8X'],
  ])('is fit: %s', (_name, start) => {
    expect(unfitType(bytes(start))).toBeUndefined();
  });

  it.each([
    ['GIF data', 'GIF87a'],
    ['GIF data', 'GIF89a'],
    ['AVIF data', brands('avif', '\0\0\0\0', 'mif1')],
    ['AVIF data', brands('mif1', '\0\0\0\0', 'mif1', 'avif')],
    ['AVIF data', brands('avis')],
    ['HEIC data', brands('heic', '\0\0\0\0', 'mif1', 'heic')],
    ['HEIC data', brands('mif1', '\0\0\0\0', 'heic')],
    ['HEIC data', brands('hevc')],
    ['video data', brands('isom', '\0\0\x02\0', 'mp41')],
    ['BMP data', 'BM\x9a\0\0\0\0\0\0\0'],
    ['TIFF data', 'II*\0'],
    ['TIFF data', 'MM\0*'],
    ['TIFF data', 'II+\0'],
    ['icon data', '\0\0\x01\0\x01\0'],
    ['JPEG XL data', '\xff\x0a'],
    ['JPEG XL data', '\0\0\0\x0cJXL \r\n'],
    ['JPEG 2000 data', '\0\0\0\x0cjP  \r\n'],
    ['Photoshop data', '8BPS\0\x01'],
    ['PDF data', '%PDF-1.7'],
    ['gzip data', '\x1f\x8b\x08'],
    ['SVG data', '<svg xmlns="http://www.w3.org/2000/svg">'],
    ['SVG data', '\xef\xbb\xbf \n<?xml version="1.0"?>\n<!-- a < b --><!DOCTYPE svg PUBLIC "a">\n<SVG\n>'],
    ['HTML data', '<!DOCTYPE html><svg >'],
    ['HTML data', '\n<!-- no --><html lang="en">'],
    ['no image of a known type', '{"error":"no"}'],
    ['no image of a known type', 'Born and <svg >'],
    ['no image of a known type', '\x89PNG\n\x1a\n'],
    ['no image of a known type', 'RIFF\x24\0\0\0WAVEfmt '],
    ['no image of a known type', '\xff\xd8'],
    ['no image of a known type', ' \x89PNG\r\n\x1a\n'],
    ['no image of a known type', 'x'],
  ])('is %s: %j', (name, start) => {
    expect(unfitType(bytes(start))).toBe(name);
  });

  it.each([
    ['comments', '<!---->'],
    ['openings', '<'],
    ['spaces', ' '],
    ['almost elements', '<svg<html'],
  ])('is told at once of text made of %s', (_name, part) => {
    // Seconds or ages when a pattern tries every way to cut the text; jest's limit ends that.
    expect(unfitType(bytes(part.repeat(1_000_000)))).toBe('no image of a known type');
  });
});
