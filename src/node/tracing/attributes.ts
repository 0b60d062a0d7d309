/**
 * What spans say, under the names of OpenTelemetry's conventions for HTTP and generative AI, and under
 * `gateway.` where those have none. docs/observability.md lists them.
 */

import type { Attributes } from '@opentelemetry/api';
import type { GatewayError } from '../../core/errors.ts';
import type { Backend } from '../../core/fleet.ts';
import type {
  AttemptEnd,
  AttemptStart,
  CallStart,
  IncomingRequest,
  RequestEnd,
  TraceContent,
  TraceEventFields,
} from '../../core/tracing.ts';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE']);
const SECONDS_PER_MS = 0.001;
const FIRST_ERROR_STATUS = 400;
const FIRST_FAULT_STATUS = 500;
/** Of texts that clients make up. */
const MAX_TEXT_LENGTH = 256;

/** Clients may send any word as a method. */
export function methodOf(method: string): string {
  return METHODS.has(method) ? method : '_OTHER';
}

export function requestAttributes({ id, method, isEncrypted, url, headers }: IncomingRequest): Attributes {
  const { 'user-agent': agent } = headers;
  return {
    'http.request.method': methodOf(method),
    'url.scheme': isEncrypted ? 'https' : 'http',
    'url.path': withoutQuery(url),
    ...(typeof agent === 'string' && { 'user_agent.original': agent.slice(0, MAX_TEXT_LENGTH) }),
    'gateway.request.id': id,
  };
}

export function endAttributes({ route, status, client, record, error }: RequestEnd): Attributes {
  return defined({
    'http.route': route,
    'http.response.status_code': status,
    // Who leaves while a request waits is gone before there is an error to tell.
    'error.type': error?.reason ?? (status === undefined ? 'client_closed' : undefined),
    'gateway.client': client,
    'gateway.model': record?.model,
    'gateway.backend': record?.backend,
    'gateway.outcome': record?.status,
    'gateway.attempts': record?.attempts,
    'gateway.rescues': unlessNone(record?.rescues),
    'gateway.queue_ms': record?.queueMs,
    'gateway.overhead_ms': record?.overheadMs,
  });
}

/** A request at fault is no error of the server; one that failed after its 200 is. */
export function isFaultOfServer({ status, error }: RequestEnd): boolean {
  if (!error || status === undefined || hasClientLeft(error)) return false;
  return status >= FIRST_FAULT_STATUS || status < FIRST_ERROR_STATUS;
}

/** Marked by its reason, and nobody's failure. */
export function hasClientLeft({ reason }: GatewayError): boolean {
  return reason === 'client_closed' || reason === 'client_stalled';
}

export function failoverAttributes({ backend, failure }: TraceEventFields): Attributes {
  return { 'gateway.backend': backend, 'error.type': failure.reason };
}

/** Names of models that nobody has listed are the client's own words. */
export function attemptName({ model, traits }: AttemptStart): string {
  return `${traits.operation} ${model.slice(0, MAX_TEXT_LENGTH)}`;
}

export function attemptAttributes({ backend, model, isStream, traits }: AttemptStart): Attributes {
  const { operation, choices, seed, encodingFormat: format } = traits;
  return defined({
    'gen_ai.operation.name': operation,
    // The conventions know OpenAI; the others have no name of theirs.
    'gen_ai.provider.name': backend.kind,
    'gen_ai.request.model': model.slice(0, MAX_TEXT_LENGTH),
    'gen_ai.request.stream': isStream || undefined,
    'gen_ai.request.choice.count': choices === 1 ? undefined : choices,
    'gen_ai.request.max_tokens': traits.maxTokens,
    'gen_ai.request.temperature': traits.temperature,
    'gen_ai.request.top_p': traits.topP,
    'gen_ai.request.frequency_penalty': traits.frequencyPenalty,
    'gen_ai.request.presence_penalty': traits.presencePenalty,
    // What no number of JavaScript holds is a text here.
    'gen_ai.request.seed': typeof seed === 'bigint' ? String(seed) : seed,
    'gen_ai.request.reasoning.level': traits.reasoningEffort,
    'gen_ai.output.type': traits.outputType,
    'gen_ai.embeddings.dimension.count': traits.dimensions,
    'gen_ai.request.encoding_formats': format && [format],
    ...backendAttributes(backend),
  });
}

/** A request that is passed on raw is an HTTP call, whatever it asks for. */
export function callAttributes({ backend, method, path }: CallStart): Attributes {
  return {
    'http.request.method': methodOf(method),
    'url.full': `${backend.url}${withoutQuery(path)}`,
    ...backendAttributes(backend),
  };
}

/** Its url has no credentials: the configuration does not allow them there. */
function backendAttributes({ name, url, address }: Backend): Attributes {
  const { hostname, port, protocol } = new URL(url);
  return {
    'gateway.backend': name,
    'server.address': hostname,
    'server.port': port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    ...(address !== undefined && { 'network.peer.address': address }),
  };
}

/** `firstTokenMs`: of a stream, from sending the request. */
export function answerAttributes(
  { error, usage, model, finishReasons }: AttemptEnd,
  firstTokenMs: number | undefined,
): Attributes {
  return defined({
    'error.type': error?.reason,
    'gen_ai.response.model': model.slice(0, MAX_TEXT_LENGTH) || undefined,
    'gen_ai.response.finish_reasons': finishReasons.length > 0 ? [...finishReasons] : undefined,
    'gen_ai.response.time_to_first_chunk':
      firstTokenMs === undefined ? undefined : firstTokenMs * SECONDS_PER_MS,
    'gen_ai.usage.input_tokens': usage?.prompt,
    // Vectors are no tokens.
    'gen_ai.usage.output_tokens': finishReasons.length > 0 ? usage?.completion : undefined,
    'gen_ai.usage.cache_read.input_tokens': unlessNone(usage?.cached),
    'gen_ai.usage.reasoning.output_tokens': unlessNone(usage?.reasoning),
  });
}

export function askedAttributes(content: TraceContent): Attributes {
  return { 'gen_ai.input.messages': JSON.stringify(content.asked()) };
}

export function toldAttributes(content: TraceContent, answer: AttemptEnd['answer']): Attributes {
  return { 'gen_ai.output.messages': JSON.stringify(content.told(answer)) };
}

/** Queries may hold anything. */
function withoutQuery(url: string): string {
  return (url.split('?', 1)[0] ?? '').slice(0, MAX_TEXT_LENGTH);
}

function unlessNone(count: number | undefined): number | undefined {
  return count === 0 ? undefined : count;
}

type Value = Attributes[string] | null;

function defined(values: Readonly<Record<string, Value>>): Attributes {
  const kept: Attributes = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null) kept[name] = value;
  }
  return kept;
}
