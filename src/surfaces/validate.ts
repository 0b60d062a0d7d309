/** A schema's complaint about a request body → the 400 that OpenAI would send. */

import type * as z from 'zod';
import { GatewayError } from '../core/errors.ts';
import { isJsonObject, misspeltName, parseJson, type JsonObject } from '../core/json.ts';
import { exceededLimit, type ShapeLimits } from '../wire/json-shape.ts';

/** No request of any client comes near; what does would exhaust a stack, or hold up everybody else. */
const SHAPE_LIMITS: ShapeLimits = { nesting: 128, members: 10_000, containers: 200_000 };

const EXCESS: Readonly<Record<keyof ShapeLimits, string>> = {
  nesting: `It is nested more than ${String(SHAPE_LIMITS.nesting)} levels deep.`,
  members: `One of its objects has more than ${String(SHAPE_LIMITS.members)} members.`,
  containers: `It has more than ${String(SHAPE_LIMITS.containers)} objects and arrays.`,
};

/** JSON text → an object. Throws GatewayError (400) for anything else, and for what would take too long to read. */
export function parseBody(json: string): JsonObject {
  const limit = exceededLimit(json, SHAPE_LIMITS);
  if (limit) throw refused(`We could not parse the JSON body of your request. (HINT: ${EXCESS[limit]})`);
  const body = parseJson(json);
  if (isJsonObject(body)) return body;
  throw refused(
    body === undefined
      ? 'We could not parse the JSON body of your request. (HINT: it must be one valid JSON object, sent as UTF-8.)'
      : `Invalid type for the request body: expected an object, but got ${typeName(body)} instead.`,
  );
}

function refused(message: string): GatewayError {
  return new GatewayError('invalid_request', { message });
}

/**
 * The body as it was sent, but for white space around the model's name: a schema would leave out
 * `__proto__` and put the members that it knows first. Throws GatewayError (400) for the first field
 * at fault.
 */
export function validate<T extends { readonly model: string }>(
  schema: z.ZodType<T> & { readonly shape: object },
  body: JsonObject,
): T {
  const misspelt = misspeltName(body, schema.shape);
  if (misspelt !== undefined) throw misspelling(misspelt);
  return { ...(body as T), model: checkedBy(schema, body).model };
}

/** What the schema makes of it. Throws GatewayError (400) for the first field at fault. */
export function checkedBy<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw issue ? toError(issue, []) : new TypeError('a failed validation without an issue');
}

/** Names are told apart by the case of their letters here, and not everywhere behind. */
function misspelling(name: string): GatewayError {
  return refused(
    `Unrecognized request argument supplied: ${name.slice(0, 100)} (HINT: it is written '${name.toLowerCase()}').`,
  );
}

/** Messages in a schema: the wire names the type of the field, which zod does not know, and not of the value. */
export const DECIMAL = 'decimal';
export const INTEGER = 'integer';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

function toError(issue: Issue, parents: Path): GatewayError {
  const path = [...parents, ...issue.path];
  const param = paramName(path);
  switch (issue.code) {
    case 'invalid_type':
      return typeError(param, expectedBy(issue), issue.input);
    case 'invalid_union':
      return unionError(issue, path);
    case 'invalid_value':
      return valueError(param, issue.values.map(String), issue.input);
    case 'too_small':
    case 'too_big':
      return rangeError(issue, param);
    case 'custom':
      return customError(issue, param);
    case 'invalid_format':
      return invalid(param, 'invalid_value', `string does not match the pattern ${String(issue.pattern)}.`);
    case 'unrecognized_keys':
      return unknownError(paramName([...path, ...issue.keys.slice(0, 1)]));
    case 'invalid_key':
    case 'invalid_element':
      return issue.issues[0]
        ? toError(issue.issues[0], path)
        : invalid(param, 'invalid_value', issue.message);
    default:
      return invalid(param, 'invalid_value', issue.message);
  }
}

/** A schema's own rule: a type that was expected, a code of OpenAI's with its text, or a text alone. */
function customError(issue: Extract<Issue, { code: 'custom' }>, param: string): GatewayError {
  const { expected, code, text } = issue.params ?? {};
  if (typeof code === 'string') return invalid(param, code, String(text));
  return expected === undefined
    ? invalid(param, 'invalid_value', issue.message)
    : typeError(param, String(expected), issue.input);
}

function unionError(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path): GatewayError {
  const param = paramName(path);
  const options = 'options' in issue ? issue.options : undefined;
  if (Array.isArray(options)) {
    // A discriminated union reports the whole object that lacks a known discriminator.
    const input = isJsonObject(issue.input) ? issue.input[String(path.at(-1))] : issue.input;
    return input === undefined ? missing(param) : valueError(param, options.map(String), input);
  }
  // The alternative that got further than the type of the value itself is the one that was meant.
  const meant =
    issue.errors.find((errors) => errors[0] && errors[0].path.length > 0) ??
    issue.errors.find((errors) => errors[0]?.code !== 'invalid_type');
  if (meant?.[0]) return toError(meant[0], path);
  const expected = issue.errors.flatMap((errors) =>
    errors[0]?.code === 'invalid_type' ? expectedBy(errors[0]) : [],
  );
  return typeError(param, expected.join(' or '), issue.input);
}

function expectedBy({ message, expected }: Extract<Issue, { code: 'invalid_type' }>): string {
  return message === INTEGER ? INTEGER : expected;
}

function typeError(param: string, expected: string, input: unknown): GatewayError {
  if (input === undefined) return missing(param);
  return new GatewayError('invalid_request', {
    message: `Invalid type for '${param}': expected ${withArticle(expected)}, but got ${typeName(input)} instead.`,
    param,
    code: 'invalid_type',
  });
}

function missing(param: string): GatewayError {
  if (param === 'model') {
    return new GatewayError('invalid_request', { message: 'You must provide a model parameter.' });
  }
  return new GatewayError('invalid_request', {
    message: `Missing required parameter: '${param}'.`,
    param,
    code: 'missing_required_parameter',
  });
}

/** Where nothing may be passed on to anybody else. */
function unknownError(param: string): GatewayError {
  return new GatewayError('invalid_request', {
    message: `Unknown parameter: '${shorten(param)}'.`,
    param: shorten(param),
    code: 'unknown_parameter',
  });
}

function valueError(param: string, supported: readonly string[], input: unknown): GatewayError {
  if (input === undefined) return missing(param);
  if (typeof input !== 'string') return typeError(param, 'string', input);
  const values = supported.map((value) => `'${value}'`).join(', ');
  return invalid(param, 'invalid_value', `'${shorten(input)}'. Supported values are: ${values}.`);
}

function rangeError(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>, param: string): GatewayError {
  const isSmall = issue.code === 'too_small';
  const limit = String(isSmall ? issue.minimum : issue.maximum);
  const side = isSmall ? 'below_min' : 'above_max';
  if (issue.origin === 'array') {
    return invalid(
      param,
      isSmall ? 'empty_array' : 'array_above_max_length',
      isSmall
        ? `empty array. Expected an array with minimum length ${limit}, but got an empty array instead.`
        : `array too long. Expected an array with maximum length ${limit}, but got an array with length ${String((issue.input as unknown[]).length)} instead.`,
    );
  }
  if (issue.origin === 'string') {
    return invalid(
      param,
      isSmall ? 'empty_string' : 'string_above_max_length',
      `string too ${isSmall ? 'short' : 'long'}. Expected a string with length ${isSmall ? 'at least' : 'at most'} ${limit}.`,
    );
  }
  const kind = issue.message === DECIMAL ? DECIMAL : 'integer';
  return invalid(
    param,
    `${kind}_${side}_value`,
    `${kind} ${side.replace('_', ' ').replace('min', 'minimum').replace('max', 'maximum')} value. Expected a value ${isSmall ? '>=' : '<='} ${limit}, but got ${String(issue.input)} instead.`,
  );
}

function invalid(param: string, code: string, text: string): GatewayError {
  return new GatewayError('invalid_request', { message: `Invalid '${param}': ${text}`, param, code });
}

/** `messages[0].content[1].type` */
export function paramName(path: Path): string {
  return path.reduce<string>((name, step) => {
    if (typeof step === 'number') return `${name}[${String(step)}]`;
    return name === '' ? String(step) : `${name}.${String(step)}`;
  }, '');
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal number';
  return withArticle(typeof value);
}

function withArticle(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
