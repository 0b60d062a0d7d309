/** A page of the documents as its readers take it: code to paste, and what is shown below it. */

import { readFileSync } from 'node:fs';

export interface Fence {
  /** '' for what a program prints. */
  readonly language: string;
  /** Of the file to save it as, if the page names one. */
  readonly name: string;
  readonly text: string;
  /** What the page shows below it: the next block, if that has no language. */
  readonly shown: string | undefined;
}

/** The text of a page below docs/. */
export function pageText(path: string): string {
  return readFileSync(new URL(`../../docs/${path}`, import.meta.url), 'utf8');
}

/** The blocks of code of a page below docs/, in order. Info strings are a language and the name of a file. */
export function fencesOf(path: string): readonly Fence[] {
  const fences = [...pageText(path).matchAll(/^```(\w*)(?: (\S+))?\n(.*?)^```$/gms)].map(
    ([, language = '', name = '', text = '']) => ({ language, name, text }),
  );
  return fences.map((fence, i) => {
    const next = fences[i + 1];
    return { ...fence, shown: fence.language !== '' && next?.language === '' ? next.text : undefined };
  });
}

/** What differs from run to run, by the word that takes its place. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\bchatcmpl-[\da-f]{32}/g, 'CHAT'],
  [/\breq_[\da-f]{32}/g, 'REQUEST'],
  [/\bkey_[\da-f]{12}/g, 'KEY-ID'],
  [/\bsk-[A-Za-z\d]{49}/g, 'KEY'],
  [/\bfp_[\da-f]{8}/g, 'FINGERPRINT'],
  [/"created":\d+/g, '"created":SECONDS'],
  [/\b\d{4}-\d\d-\d\d(T[\d:.]+Z)?/g, 'DATE'],
  [/\b\d+(\.\d+)?s\b/g, 'DURATION'],
  [/http:\/\/127\.0\.0\.1:\d+/g, 'BACKEND'],
  [/\bnode-ai-gateway \d+\.\d+\.\d+/g, 'node-ai-gateway VERSION'],
  [/^\d\d:\d\d:\d\d /gm, 'TIME '],
  [/^retry-after: \d+/gm, 'retry-after: SECONDS'],
  [/\r/g, ''],
];

/** Takes out what no reader will find the same. */
export function withoutVarying(text: string): string {
  return VARYING.reduce((rest, [pattern, word]) => rest.replace(pattern, word), text).trim();
}

/**
 * What a printed text must be to be the one that is shown: the same, or with any text in the place of each `…`.
 * Given as an expression, so that a test that fails prints both.
 */
export function asShown(shown: string): RegExp {
  const pieces = withoutVarying(shown).split('…').map(escapeForRegExp);
  return new RegExp(`^${pieces.join('.*')}$`, 's');
}

function escapeForRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
