/** The tracer of a gateway without traces: at most it passes on what its client sent. */

import type { AttemptTrace, RequestTrace, Tracer } from '../core/tracing.ts';
import { readTraceContext } from '../wire/trace-context.ts';

/** `isPropagating`: the client's trace goes on in the backends, past this gateway. */
export function createUntraced(isPropagating: boolean): Tracer {
  return {
    begin({ headers }) {
      if (!isPropagating || headers.traceparent === undefined) return undefined;
      const context = readTraceContext(headers);
      if (!context) return undefined;
      const { traceparent, tracestate } = context;
      return passOn({ traceparent, ...(tracestate !== '' && { tracestate }) });
    },
  };
}

function passOn(headers: AttemptTrace['headers']): RequestTrace {
  const attempt: AttemptTrace = { headers, wantsAnswer: false, answered: ignore, end: ignore };
  return { logFields: {}, event: ignore, attempt: () => attempt, call: () => attempt, end: ignore };
}

function ignore(): void {
  // There is nobody to tell.
}
