/** What FastAPI and pydantic say of a request that they refuse, without the request: they repeat it. */

import { excerptOf } from '../../core/errors.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';

/** Python's print of a complaint: `'loc': ('body', 'top_k'), 'msg': 'Input should be …'`. */
const PRINTED = /'loc': \(([^)]{0,200})\), 'msg': (?:'([^']{0,500})'|"([^"]{0,500})")/g;
/** The first sight of what was sent. */
const INPUT = /,? ?['"]input['"]: /;
/** pydantic's own print: `[type=int_parsing, input_value='x', input_type=str]`. */
const INPUT_VALUE = /, input_value=.{0,300}?, input_type=\w{1,50}/gs;

/** FastAPI's `detail`: a text, or a list of complaints; undefined when it is neither. */
export function detailText(detail: unknown): string | undefined {
  if (typeof detail === 'string') return detail;
  if (!Array.isArray(detail)) return undefined;
  return join(detail.filter(isJsonObject).map(({ loc, msg }: JsonObject) => [pathOf(loc), String(msg)]));
}

export function withoutInput(message: string): string {
  const text = excerptOf(message);
  if (!INPUT.test(text)) return text.replace(INPUT_VALUE, '');
  const complaints = Array.from(text.matchAll(PRINTED), ([, loc = '', single, double]) => [
    pathOf(loc.split(',').map((step) => step.trim().replace(/^'|'$/g, ''))),
    single ?? double ?? '',
  ]);
  return complaints.length > 0 ? join(complaints) : text.slice(0, text.search(INPUT));
}

function pathOf(loc: unknown): string {
  return Array.isArray(loc) ? loc.filter((step) => step !== 'body' && step !== '').join('.') : '';
}

function join(complaints: readonly (readonly string[])[]): string {
  return complaints.map((parts) => parts.filter((part) => part !== '').join(': ')).join('; ');
}
