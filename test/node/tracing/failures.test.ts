/** How often it is told that spans are lost. */

import { expect, it } from '@jest/globals';
import { ExportResultCode } from '@opentelemetry/core';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../../../src/core/exchange.ts';
import { createFailureLog, reporting } from '../../../src/node/tracing/failures.ts';

const MINUTE_MS = 60_000;

function createLog(): { logger: Logger; lines: unknown[] } {
  const lines: unknown[] = [];
  const nothing = (): void => undefined;
  const warn: Logger['warn'] = (message, fields) => {
    lines.push({ message, ...fields });
  };
  return { lines, logger: { debug: nothing, info: nothing, warn, error: nothing } };
}

it('the first loss is told at once, and further ones together after a minute', () => {
  const { logger, lines } = createLog();
  let nowMs = 0;
  const failed = createFailureLog(logger, () => nowMs);
  failed(Object.assign(new Error('Bad Request'), { code: 400 }), 3);
  failed(new Error('again'), 5);
  nowMs = MINUTE_MS - 1;
  failed(new Error('again'), 7);
  expect(lines).toEqual([
    { message: 'traces cannot be sent', lostSpans: 3, reason: 'Bad Request', status: 400 },
  ]);
  nowMs = MINUTE_MS;
  failed(new Error('x'.repeat(1000)), 1);
  expect(lines[1]).toEqual({ message: 'traces cannot be sent', lostSpans: 13, reason: 'x'.repeat(200) });
});

it('the SDK hears of no failure, which it would tell by a global', () => {
  const told: unknown[] = [];
  const results: unknown[] = [];
  const exporter: SpanExporter = {
    export: (_spans, done) => {
      done({ code: ExportResultCode.FAILED, error: new Error('gone') });
    },
    shutdown: () => Promise.resolve(),
  };
  reporting(exporter, (error, spans) => told.push([String(error), spans])).export([], (result) => {
    results.push(result);
  });
  expect(told).toEqual([['Error: gone', 0]]);
  expect(results).toEqual([{ code: ExportResultCode.SUCCESS }]);
});
