/** Spans that could not be sent: told in the log now and then, and of no consequence otherwise. */

import { ExportResultCode } from '@opentelemetry/core';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger, Now } from '../../core/exchange.ts';

/** Between two lines about it. */
const QUIET_MS = 60_000;
const MAX_REASON_LENGTH = 200;

export type TellFailure = (error: unknown, spans: number) => void;

/** The lines name how many spans were lost since the last one. */
export function createFailureLog(logger: Logger, now: Now): TellFailure {
  let toldMs = -Infinity;
  let lostSpans = 0;
  return (error, spans) => {
    lostSpans += spans;
    if (now() - toldMs < QUIET_MS) return;
    toldMs = now();
    const reason = error instanceof Error ? error.message : String(error);
    const status = error instanceof Error && 'code' in error ? { status: error.code } : {};
    logger.warn('traces cannot be sent', {
      lostSpans,
      reason: reason.slice(0, MAX_REASON_LENGTH),
      ...status,
    });
    lostSpans = 0;
  };
}

/** The SDK hears of successes only: its own way of telling is a global. */
export function reporting(exporter: SpanExporter, failed: TellFailure): SpanExporter {
  return {
    export(spans, done) {
      exporter.export(spans, ({ error }) => {
        if (error) failed(error, spans.length);
        done({ code: ExportResultCode.SUCCESS });
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}
