/** The log: one line an event, JSON for machines or plain text for a terminal, without secrets. */

import winston from 'winston';
import { GatewayError, isRequestFault, withoutAddresses } from '../core/errors.ts';
import type { Logger } from '../core/exchange.ts';

export interface LoggerOptions {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly format: 'json' | 'pretty';
}

const SECRET_NAMES =
  /authorization|cookie|credential|api[-_]?key|secret|passw(or)?d|passphrase|private[-_]?key|^(auth|admin)?key$|^((access|refresh|id|auth|bearer)[-_]?)?token$|^hash$/i;
/** What clients say and what models answer, by the names that APIs have for it. Counts of it may be logged. */
const CONTENT_NAMES =
  /^(prompts?|messages|content|inputs?|instructions|system|suffix|texts?|body(text)?|completion|reasoning(_content)?|thinking|arguments|images?|tools?|tool_?calls|functions|documents|choices|delta|user)$/i;
/**
 * Wherever they stand in a text: Bearer credentials as long as ours must be, Basic ones, keys of the common
 * forms, JSON Web Tokens, hashes of keys, passwords in URLs, and what a query names as a secret.
 */
const SECRET_TEXT = new RegExp(
  [
    /\b(bearer\s+)[^\s"',;]{12,}/,
    /\b(basic\s+)(?=[a-z]*[\d+/=])[a-z\d+/]{8,}={0,2}/,
    /\b(?:sk|pk|rk|hf|gsk|xai)[-_][a-z\d_-]{8,}/,
    /\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?/,
    /\b((?:hmac-)?sha256:)[\da-f]{64}\b/,
    /(:\/\/)[^\s/@"']{1,200}(?=@)/,
    /([?&](?:api[-_]?key|key|(?:access[-_]?)?token|secret|password|sig(?:nature)?)=)[^&\s"']+/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'gi',
);
const MAX_DEPTH = 6;
const MAX_MESSAGE_LENGTH = 500;

/** winston with two formats of our own: `errors()` sees top-level errors only, and nothing redacts. */
export function createLogger({ level, format }: LoggerOptions): Logger {
  const { combine, timestamp, json } = winston.format;
  const logger = winston.createLogger({
    level,
    format: combine(timestamp(), clean(), format === 'json' ? json() : pretty()),
    transports: [new winston.transports.Console()],
  });
  const at =
    (severity: LoggerOptions['level']): Logger['info'] =>
    (message, fields) => {
      // Building an entry below the level costs microseconds a line.
      if (logger.isLevelEnabled(severity)) logger.log(severity, message, fields);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

const clean = winston.format((info) => {
  for (const key of Object.keys(info)) info[key] = toLoggable(info[key], key, 0);
  return info;
});

/** Errors become objects with their causes; secrets, and what people and models say, become asterisks. */
export function toLoggable(value: unknown, name = '', depth = 0): unknown {
  if (value !== undefined && SECRET_NAMES.test(name)) return '***';
  if (isText(value) && CONTENT_NAMES.test(name)) return '***';
  if (typeof value === 'string') return withoutSecrets(value);
  if (typeof value === 'number') return Number.isInteger(value) ? value : Math.round(value * 1000) / 1000;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '…';
  if (ArrayBuffer.isView(value)) return `${String(value.byteLength)} bytes`;
  if (value instanceof Error) return toLoggable(describeError(value), '', depth);
  if (Array.isArray(value)) return value.map((item) => toLoggable(item, '', depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, toLoggable(item, key, depth + 1)]),
  );
}

/** Whatever may hold words, and not numbers. */
function isText(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null);
}

/** The word before a secret, if there was one, tells what it was. */
function withoutSecrets(text: string): string {
  return text.replace(SECRET_TEXT, (_, ...groups: unknown[]) => {
    const kept = groups.slice(0, -2).find((group) => typeof group === 'string');
    return `${kept ?? ''}***`;
  });
}

/** A failure of the table is told by its reason; everything else needs its stack. */
function describeError(error: Error): Record<string, unknown> {
  if (error instanceof GatewayError && error.reason !== 'internal_error') {
    const { reason, message, code, param, cause } = error;
    if (hasClientsWords(error))
      return { reason, ...(code !== null && { code }), ...(param !== null && { param }) };
    const words = withoutQuotations(message);
    return { reason, message: words, ...(cause instanceof Error && { cause: describeCause(cause) }) };
  }
  const cause = error.cause === undefined ? {} : { cause: error.cause };
  const code = 'code' in error && error.code !== null ? { code: error.code } : {};
  const inner = error instanceof AggregateError ? { errors: error.errors as unknown[] } : {};
  return { name: error.name, message: error.message, ...code, stack: error.stack, ...inner, ...cause };
}

/** Who is told what is wrong with a request hears parts of it, and of what a model made of it. */
function hasClientsWords(error: GatewayError): boolean {
  return isRequestFault(error) || error.reason === 'tool_call_parse_error';
}

/** A backend that fails may quote from the request: its own words end where the first quotation, object or line does. */
function withoutQuotations(message: string): string {
  const [words = ''] = message
    .slice(0, MAX_MESSAGE_LENGTH)
    .split(/(?<![a-z])['"]|["`{[\n](?!address\]|path\]|hidden\])/i, 1);
  return words.length < message.length ? `${words}…` : message;
}

/** Which backend it was stands beside it by name; its address is nobody's business. */
function describeCause(error: Error): Record<string, unknown> {
  if (error instanceof GatewayError) return describeError(error);
  // It quotes what could not be parsed.
  if (error.name === 'SyntaxError') return { name: error.name };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { name: error.name, message: withoutAddresses(error.message), ...code };
}

/** `12:30:01 info  request model=llama3.2 status=200` */
function pretty(): winston.Logform.Format {
  return winston.format.printf(({ timestamp, level, message, ...fields }) => {
    const time = String(timestamp).slice(11, 19);
    const rest = Object.entries(fields).map(([key, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return `${key}=${text}`;
    });
    return [time, level.padEnd(5), String(message), ...rest].join(' ');
  });
}
