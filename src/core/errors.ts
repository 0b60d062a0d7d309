/** The one error class and the one table that decides what every failure means. */

interface Row {
  /** HTTP status while nothing has been sent yet. */
  readonly status: number;
  readonly type:
    | 'invalid_request_error'
    | 'rate_limit_error'
    | 'requests'
    | 'tokens'
    | 'insufficient_quota'
    | 'server_error';
  /** OpenAI's `code`; null where OpenAI sends none. */
  readonly code: string | null;
  /** Another backend may answer where this one failed. */
  readonly tryOthers: boolean;
  /** Says something about the backend's health (and not about the request). */
  readonly countsAgainstBackend: boolean;
}

/** nginx's status for it; HTTP has none, since nobody is there to read one. */
const CLIENT_GONE = 499;

const client = (status: number, code: string | null): Row => ({
  status,
  type: 'invalid_request_error',
  code,
  tryOthers: false,
  countsAgainstBackend: false,
});

const server = (status: number, code: string | null, flags: Partial<Row> = {}): Row => ({
  status,
  type: 'server_error',
  code,
  tryOthers: true,
  countsAgainstBackend: true,
  ...flags,
});

/**
 * Keyed by the reason of the failure. Statuses, types and codes follow OpenAI's published errors
 * where they have one; a reason that is the gateway's own has its name as code.
 */
const TABLE = {
  // The request is at fault.
  invalid_request: client(400, null),
  context_length_exceeded: client(400, 'context_length_exceeded'),
  unsupported_parameter: client(400, 'unsupported_parameter'),
  missing_api_key: client(401, null),
  invalid_api_key: client(401, 'invalid_api_key'),
  model_not_found: client(404, 'model_not_found'),
  unknown_url: client(404, 'unknown_url'),
  unknown_request: client(404, 'unknown_request'),
  unknown_backend: client(404, 'unknown_backend'),
  unknown_key: client(404, 'unknown_key'),
  method_not_supported: client(405, 'method_not_supported'),
  body_too_large: client(413, null),
  unsupported_content_type: client(415, 'unsupported_content_type'),
  headers_too_large: client(431, null),

  // The client has had its share. OpenAI tells by the type which share it was.
  rate_limit_exceeded: { ...client(429, 'rate_limit_exceeded'), type: 'requests' },
  concurrency_exceeded: { ...client(429, 'rate_limit_exceeded'), type: 'requests' },
  tokens_exceeded: { ...client(429, 'rate_limit_exceeded'), type: 'tokens' },
  insufficient_quota: { ...client(429, 'insufficient_quota'), type: 'insufficient_quota' },
  permission_denied: client(403, 'permission_denied'),

  // The backend says that it does not have the model: another may.
  upstream_model_not_found: { ...client(404, 'model_not_found'), tryOthers: true },

  // The backend is busy. It is well, so this does not count against it.
  upstream_rate_limited: {
    ...server(429, 'rate_limit_exceeded', { countsAgainstBackend: false }),
    type: 'rate_limit_error',
  },
  server_overloaded: server(503, 'server_overloaded', { countsAgainstBackend: false }),

  // The operator's credentials for the backend are at fault; never a 401, the client's key is fine.
  upstream_unauthorized: server(502, 'upstream_unauthorized'),
  upstream_forbidden: server(502, 'upstream_forbidden'),

  // The backend failed.
  upstream_error: server(502, 'upstream_error'),
  upstream_unavailable: server(502, 'upstream_unavailable'),
  upstream_connection_error: server(502, 'upstream_connection_error'),
  upstream_incomplete_response: server(502, 'upstream_incomplete_response'),
  upstream_invalid_response: server(502, 'upstream_invalid_response'),
  tool_call_parse_error: server(502, 'tool_call_parse_error', { countsAgainstBackend: false }),
  // It, or a proxy in front of it, gave the request up.
  upstream_timeout: server(504, 'upstream_timeout'),
  upstream_connect_timeout: server(504, 'upstream_connect_timeout'),
  upstream_first_token_timeout: server(504, 'upstream_first_token_timeout'),
  upstream_idle_timeout: server(504, 'upstream_idle_timeout'),
  upstream_total_timeout: server(504, 'upstream_total_timeout', {
    tryOthers: false,
    countsAgainstBackend: false,
  }),

  // The client said how long it would wait, and that is over.
  deadline_exceeded: server(504, 'deadline_exceeded', { tryOthers: false, countsAgainstBackend: false }),

  // The gateway cannot serve now.
  no_backend_available: server(503, 'no_backend_available', { countsAgainstBackend: false }),
  limits_unavailable: server(503, 'limits_unavailable', { tryOthers: false, countsAgainstBackend: false }),
  shutting_down: server(503, 'shutting_down', { tryOthers: false, countsAgainstBackend: false }),
  // The operator ended it.
  request_cancelled: server(503, 'request_cancelled', { tryOthers: false, countsAgainstBackend: false }),
  key_file_failed: server(500, 'key_file_failed', { tryOthers: false, countsAgainstBackend: false }),
  internal_error: server(500, null, { tryOthers: false, countsAgainstBackend: false }),

  // The client left. Nobody reads this answer and nobody is to blame.
  client_closed: client(CLIENT_GONE, 'client_closed'),
  // It stays and does not read.
  client_stalled: client(CLIENT_GONE, 'client_stalled'),
} as const satisfies Record<string, Row>;

export type FailureReason = keyof typeof TABLE;

export interface GatewayErrorOptions {
  /** What is wrong and how to mend it. Never an upstream address, a key or a stack trace. */
  readonly message: string;
  /** The request field at fault, in OpenAI's notation: `messages[0].role`. */
  readonly param?: string;
  /** Replaces the row's code, for the many codes of `invalid_request`. */
  readonly code?: string;
  /** Whole seconds to wait, if somebody said so: a backend is left alone for so long. */
  readonly retryAfterSeconds?: number;
  /** The same, exactly: becomes `retry-after-ms`. */
  readonly retryAfterMs?: number;
  /** The same request would fail the same way: becomes `x-should-retry: false`, which SDKs obey. */
  readonly retryIsFutile?: boolean;
  /** More for the answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For the log only. */
  readonly cause?: unknown;
}

const NO_HEADERS = {};

/** Every failure that a client or the router hears of. What it means stands in the table above. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly reason: FailureReason;
  readonly status: number;
  readonly type: Row['type'];
  readonly code: string | null;
  readonly param: string | null;
  readonly retryAfterSeconds: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly retryIsFutile: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly tryOthers: boolean;
  readonly countsAgainstBackend: boolean;

  constructor(reason: FailureReason, options: GatewayErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    const row: Row = TABLE[reason];
    this.reason = reason;
    this.status = row.status;
    this.type = row.type;
    this.code = options.code ?? row.code;
    this.param = options.param ?? null;
    this.retryAfterMs = options.retryAfterMs;
    this.retryAfterSeconds =
      options.retryAfterSeconds ??
      (options.retryAfterMs === undefined ? undefined : Math.ceil(options.retryAfterMs / 1000));
    this.retryIsFutile = options.retryIsFutile ?? false;
    this.headers = options.headers ?? NO_HEADERS;
    this.tryOthers = row.tryOthers;
    this.countsAgainstBackend = row.countsAgainstBackend;
  }
}

/** The request is at fault: no backend could have done better. A client that leaves is not. */
export function isRequestFault({ type, status }: GatewayError): boolean {
  return type === 'invalid_request_error' && status !== CLIENT_GONE;
}

const DEFAULT_RETRY_AFTER_SECONDS = 1;

/** For how long a client is told to wait, in whole seconds; undefined when waiting is no matter here. */
export function retryAfterOf({ status, retryAfterSeconds }: GatewayError): number | undefined {
  const isBusy = status === 429 || status === 503;
  return retryAfterSeconds ?? (isBusy ? DEFAULT_RETRY_AFTER_SECONDS : undefined);
}

/** Of an upstream's text; what a message says stands at its beginning. */
const MAX_EXCERPT_LENGTH = 4096;
/** No address is longer. */
const MAX_WORD_LENGTH = 256;
const MAX_MESSAGE_LENGTH = 2000;

/**
 * As much of an upstream's text as is looked at. It may be megabytes of what a client made up, and
 * no expression is to be let loose on that. Does not end within an address.
 */
export function excerptOf(text: string): string {
  if (text.length <= MAX_EXCERPT_LENGTH) return text;
  const end = text.lastIndexOf(' ', MAX_EXCERPT_LENGTH);
  return text.slice(0, end > MAX_EXCERPT_LENGTH - MAX_WORD_LENGTH ? end : MAX_EXCERPT_LENGTH);
}

/** Where addresses stand in the words of Go, Node and Python. Each is bounded, or begins at few places. */
const ADDRESSES: readonly RegExp[] = [
  /\b[a-z][a-z0-9+.-]{0,31}:\/\/[^\s"'<>]+/gi,
  /\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g,
  /\[(?=[0-9a-f.]{0,45}:)[0-9a-f:.]{2,45}\](?::\d+)?/gi,
  /(?<=\blookup )[\w.-]{1,253}(?=:| on )/gi,
  /(?<=\bdial (?:tcp|udp)[46]? )[\w.-]{1,253}/gi,
  /(?<=\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ETIMEDOUT) )[\w.:%-]{0,252}\w/g,
  /(?<=\bhost(?:name)?=["']?)[\w.-]{1,253}/gi,
  /(?<![\w./-])(?:[\w-]{1,63}\.){1,20}[a-z][\w-]{0,62}:\d{2,5}\b/gi,
  // Of names without a dot only those that no word has: `gpu-7:8000`, but not `limit:4096`.
  /(?<![\w./-])(?:localhost|(?=[a-z_]{0,63}[\d-])[a-z][\w-]{0,62}):\d{4,5}\b/gi,
];
const PATH = /(?<![\w/])(?:\/[\w.@+-]+){2,}/g;
const KEY = /\bsk-[\w-]{8,}|(?<=\bbearer\s)[^\s"',;]{12,}/gi;

/**
 * An upstream's own words, fit for a client: without addresses, file paths and what looks like a key, which
 * are nobody's business outside, and not longer than a client will read.
 */
export function withoutAddresses(text: string): string {
  return ADDRESSES.reduce((words, address) => words.replace(address, '[address]'), excerptOf(text))
    .replace(PATH, '[path]')
    .replace(KEY, '[hidden]')
    .slice(0, MAX_MESSAGE_LENGTH);
}

/** Anything thrown → a GatewayError. What is not one is a fault of the gateway itself. */
export function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  return new GatewayError('internal_error', {
    message: 'The gateway failed to serve this request. Its log has the details under the request id.',
    cause: error,
  });
}
