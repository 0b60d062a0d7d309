/** What goes through of a request and of its answer, and what stays behind: path, model, headers. Pure. */

import { GatewayError } from '../core/errors.ts';
import { isJsonObject, misspeltName, parseJson } from '../core/json.ts';
import type { Backend } from '../core/fleet.ts';
import { printMembers, sliceMembers } from '../wire/json-slice.ts';

/** Lower-case names. */
type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * One piece of a path. No empty ones, no `.` or `..`, no backslash or semicolon, and no escapes of
 * those, of slashes, of `%` or of characters that need none: a backend that decodes must see the
 * path that was checked here, and none that the gateway itself serves.
 */
const SEGMENT =
  /^(?!\.{1,2}$)(?:[\w.~!$&'()*+,=:@-]|%(?![01]|2[def5]|3[\db]|4[1-9a-f]|5[\dacf]|6[1-9a-f]|7[\daef])[\da-f]{2})+$/i;
const QUERY = /^[\x21\x22\x24-\x7e]*$/;

/** Of a client's request; whatever else it sends is no business of the backend. */
const REQUEST_HEADERS = [
  'accept',
  'accept-language',
  'anthropic-beta',
  'anthropic-version',
  'content-encoding',
  'content-length',
  'content-type',
  'idempotency-key',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'openai-beta',
  'openai-organization',
  'openai-project',
  'range',
  'x-client-request-id',
];

/** Of an answer. What else a backend says of itself, its cookies and its origins stay behind. */
const ANSWER_HEADER =
  /^(accept-ranges|cache-control|content-(disposition|encoding|language|length|range|type)|etag|expires|last-modified|openai-.+|retry-after(-ms)?|x-ratelimit-.+|x-should-retry)$/;

/** What stands below the backend's base path, with the query. Throws unknown_url. */
export function toUpstreamPath(method: string, url: string): string {
  const [, path = '', query = ''] = /^\/v1\/([^?]*)(.*)$/is.exec(url) ?? [];
  if (path.split('/').every((segment) => SEGMENT.test(segment)) && QUERY.test(query)) {
    return `/${path}${query}`;
  }
  throw invalidUrl(method, url);
}

/** `reason`: why nobody serves a path that is well-formed. */
export function invalidUrl(method: string, url: string, reason = ''): GatewayError {
  const path = url.split('?', 1)[0]?.slice(0, 200) ?? '';
  return new GatewayError('unknown_url', { message: `Invalid URL (${method} ${path})${reason}` });
}

const MODEL = { model: true };

/**
 * The model that a JSON body names; undefined when it names none. Throws invalid_request for what is not JSON, or
 * names a second one for readers that do not tell letters' case.
 */
export function peekModel(json: string): string | undefined {
  const body = parseJson(json);
  if (body === undefined) {
    throw new GatewayError('invalid_request', {
      message: 'We could not parse the JSON body of your request. (HINT: it must be valid JSON.)',
    });
  }
  const misspelt = isJsonObject(body) ? misspeltName(body, MODEL) : undefined;
  if (misspelt !== undefined) {
    throw new GatewayError('invalid_request', {
      message: `Unrecognized request argument supplied: ${misspelt} (HINT: it is written 'model').`,
    });
  }
  const model = isJsonObject(body) ? body.model : undefined;
  return typeof model === 'string' ? model : undefined;
}

/** Everything but `model` stays as it was written. `json` must have passed peekModel. */
export function renameModel(json: string, upstreamModel: string): string {
  return printMembers(sliceMembers(json).set('model', JSON.stringify(upstreamModel)));
}

/** `bodyBytes`: the length of a body in place of the client's own. */
export function toUpstreamHeaders(
  given: Headers,
  bodyBytes: number | undefined,
  { apiKey, headers: configured }: Backend,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of REQUEST_HEADERS) {
    const value = given[name];
    if (typeof value === 'string') headers[name] = value;
  }
  if (bodyBytes !== undefined) headers['content-length'] = String(bodyBytes);
  // Said in words: without it Node sends the body of a DELETE with no framing at all.
  else if (given['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked';
  headers['accept-encoding'] = 'identity';
  headers['user-agent'] = 'node-ai-gateway';
  if (apiKey !== undefined) headers.authorization = `Bearer ${apiKey}`;
  for (const [name, value] of Object.entries(configured)) headers[name.toLowerCase()] = value;
  return headers;
}

/** `path`: of the request, below the base path. `own`: names of headers that the answer has already. */
export function toClientHeaders(
  headers: Headers,
  { url }: Backend,
  path: string,
  own: readonly string[],
): Record<string, string> {
  // Who has limits here is not to take the operator's for them.
  const isLimited = own.some(isOfLimits);
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== 'string' || !ANSWER_HEADER.test(name)) continue;
    if (!(isLimited && isOfLimits(name))) kept[name] = value;
  }
  const location = typeof headers.location === 'string' ? toOwnPath(headers.location, url, path) : undefined;
  if (location !== undefined) kept.location = location;
  if (kept['content-type']?.startsWith('text/event-stream')) {
    kept['cache-control'] = 'no-cache, no-transform';
    kept['x-accel-buffering'] = 'no';
  }
  return kept;
}

/** The methods of an `Allow`; '' when there is none, or what is no such list. */
export function toMethods(allow: string | undefined): string {
  return allow !== undefined && /^[A-Z]+( ?, ?[A-Z]+)*$/.test(allow) ? allow : '';
}

function isOfLimits(name: string): boolean {
  return name.startsWith('x-ratelimit-');
}

/** Where the client finds it here; undefined for other hosts and for what is not below the base path. */
function toOwnPath(location: string, baseUrl: string, path: string): string | undefined {
  if (!URL.canParse(location, baseUrl + path)) return undefined;
  const { origin, pathname, search } = new URL(location, baseUrl + path);
  const base = new URL(`${baseUrl}/`);
  if (origin !== base.origin || !pathname.startsWith(base.pathname)) return undefined;
  return `/v1/${pathname.slice(base.pathname.length)}${search}`;
}
