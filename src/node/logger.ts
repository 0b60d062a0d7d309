/** The log: one line an event, JSON for machines or plain text for a terminal, without secrets. */

import winston from 'winston';
import { GatewayError, isRequestFault, withoutAddresses } from '../core/errors.ts';
import type { Logger } from '../core/exchange.ts';

export interface LoggerOptions {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly format: 'json' | 'pretty';
}

const SECRET_NAMES = /authorization|cookie|api[-_]?key|secret|password|^(auth|admin)?key$/i;
/** Bearer credentials as long as ours must be, and keys of the common form, wherever they stand in a text. */
const SECRET_TEXT = /\b(bearer\s+)[^\s"',;]{12,}|\bsk-[A-Za-z0-9_-]{8,}/gi;
const MAX_DEPTH = 6;

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

/** Errors become objects with their causes, secrets become asterisks. */
export function toLoggable(value: unknown, name = '', depth = 0): unknown {
  if (value !== undefined && SECRET_NAMES.test(name)) return '***';
  if (typeof value === 'string')
    return value.replace(SECRET_TEXT, (_, scheme?: string) => `${scheme ?? ''}***`);
  if (typeof value === 'number') return Number.isInteger(value) ? value : Math.round(value * 1000) / 1000;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '…';
  if (value instanceof Error) return toLoggable(describeError(value), '', depth);
  if (Array.isArray(value)) return value.map((item) => toLoggable(item, '', depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, toLoggable(item, key, depth + 1)]),
  );
}

/** A failure of the table is told by its reason; everything else needs its stack. */
function describeError(error: Error): Record<string, unknown> {
  if (error instanceof GatewayError && error.reason !== 'internal_error') {
    const { reason, message, code, param, cause } = error;
    if (hasClientsWords(error))
      return { reason, ...(code !== null && { code }), ...(param !== null && { param }) };
    return { reason, message, ...(cause instanceof Error && { cause: describeCause(cause) }) };
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
