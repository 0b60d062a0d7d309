/** The gateway's traces as OpenTelemetry's spans: a server span a request, and below it a client span an attempt. */

import {
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer as OtelTracer,
} from '@opentelemetry/api';
import type { JsonObject } from '../../core/json.ts';
import type {
  AttemptTrace,
  IncomingRequest,
  RequestTrace,
  TraceContent,
  Tracer,
} from '../../core/tracing.ts';
import { printTraceContext, readTraceContext } from '../../wire/trace-context.ts';
import {
  answerAttributes,
  askedAttributes,
  attemptAttributes,
  attemptName,
  callAttributes,
  endAttributes,
  failoverAttributes,
  hasClientLeft,
  isFaultOfServer,
  methodOf,
  requestAttributes,
  toldAttributes,
} from './attributes.ts';
import type { TracingSettings } from './index.ts';

type Settings = Pick<TracingSettings, 'propagate' | 'messageContent'>;

/** The API, and nothing that answers about the gateway itself: its callers are many and say nothing. */
const TRACED_PATH = /^\/v1\//i;
const FIRST_TOKEN = 'gateway.first_token';

export function createTracer(otel: OtelTracer, settings: Settings): Tracer {
  return {
    begin(request) {
      return TRACED_PATH.test(request.url) ? beginRequest(otel, settings, request) : undefined;
    },
  };
}

function beginRequest(otel: OtelTracer, settings: Settings, request: IncomingRequest): RequestTrace {
  const method = methodOf(request.method);
  const attributes = requestAttributes(request);
  const span = otel.startSpan(method, { kind: SpanKind.SERVER, attributes }, parentOf(request));
  const context = trace.setSpan(ROOT_CONTEXT, span);
  const beginClient = (name: string, of: Attributes): Span =>
    otel.startSpan(name, { kind: SpanKind.CLIENT, attributes: of }, context);

  return {
    logFields: logFieldsOf(span),
    event(name, fields) {
      span.addEvent(`gateway.${name}`, failoverAttributes(fields));
    },
    attempt(start) {
      const { isStream, traits } = start;
      const client = beginClient(attemptName(start), attemptAttributes(start));
      const content = settings.messageContent && client.isRecording() ? traits.content : undefined;
      if (content) client.setAttributes(askedAttributes(content));
      return toAttempt(client, settings, isStream, content);
    },
    call(start) {
      return toAttempt(beginClient(methodOf(start.method), callAttributes(start)), settings, false);
    },
    end(end) {
      if (end.route !== undefined) span.updateName(`${method} ${end.route}`);
      span.setAttributes(endAttributes(end));
      if (isFaultOfServer(end)) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

function toAttempt(
  span: Span,
  { propagate }: Settings,
  isStream: boolean,
  content?: TraceContent,
): AttemptTrace {
  const startedMs = performance.now();
  let firstTokenMs: number | undefined;

  return {
    headers: propagate ? headersOf(span) : {},
    wantsAnswer: content !== undefined,
    answered() {
      if (firstTokenMs !== undefined) return;
      firstTokenMs = performance.now() - startedMs;
      if (isStream) span.addEvent(FIRST_TOKEN);
    },
    end(end) {
      span.setAttributes(answerAttributes(end, isStream ? firstTokenMs : undefined));
      if (content && end.answer !== '') span.setAttributes(toldAttributes(content, end.answer));
      if (end.error && !hasClientLeft(end.error)) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

/** What the client sent makes this span a part of its trace. */
function parentOf({ headers }: IncomingRequest): Context {
  const given = readTraceContext(headers);
  if (!given) return ROOT_CONTEXT;
  const { traceId, parentId: spanId, flags: traceFlags, tracestate } = given;
  const traceState = createTraceState(tracestate);
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, traceState, isRemote: true });
}

function headersOf(span: Span): Record<string, string> {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  return printTraceContext(traceId, spanId, traceFlags, traceState?.serialize() ?? '');
}

/** By the names that OpenTelemetry has for logs that are no logs of its own. */
function logFieldsOf(span: Span): JsonObject {
  const { traceId, spanId } = span.spanContext();
  return { trace_id: traceId, span_id: spanId };
}
