/** OpenTelemetry's SDK as this gateway uses it: without its globals, its contexts and its instrumentations. */

import type { Sampler } from '@opentelemetry/sdk-trace';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Tracing, TracingDeps, TracingSettings } from './index.ts';
import { createFailureLog, reporting } from './failures.ts';
import { createTracer } from './spans.ts';

const SCOPE = 'node-ai-gateway';
/** Spans that wait to be sent; more are dropped. */
const MAX_QUEUE = 2048;
/** Those with prompts and answers are a hundred times as large. */
const MAX_QUEUE_WITH_CONTENT = 256;
const MAX_BATCH = 256;
const SEND_EVERY_MS = 2000;
/** How long the end of the program waits for the last spans. */
const CLOSE_MS = 2000;

export function createOtelTracing(
  settings: TracingSettings,
  url: string,
  { version, instanceId, logger }: TracingDeps,
): Tracing {
  const { protocol, headers, timeoutMs: timeoutMillis, messageContent } = settings;
  const Exporter = protocol === 'http/json' ? JsonExporter : ProtobufExporter;
  const exporter = new Exporter({ url, headers: { ...headers }, timeoutMillis });
  const failed = createFailureLog(logger, () => performance.now());
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': settings.serviceName,
      'service.version': version,
      'service.instance.id': instanceId,
      ...settings.resource,
    }),
    sampler: samplerOf(settings),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: reporting(exporter, failed),
        maxQueueSize: messageContent ? MAX_QUEUE_WITH_CONTENT : MAX_QUEUE,
        maxExportBatchSize: MAX_BATCH,
        scheduledDelayMillis: SEND_EVERY_MS,
      }),
    ],
  });

  return {
    tracer: createTracer(provider.getTracer(SCOPE, version), settings),
    flush: () => provider.forceFlush(),
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS);
      });
      try {
        await Promise.race([provider.shutdown(), limit]);
      } catch (error) {
        failed(error, 0);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** As OTEL_TRACES_SAMPLER names them. */
function samplerOf({ sampler, sampleRatio }: TracingSettings): Sampler {
  const name = sampler.replace(/^parentbased_/, '');
  const root =
    name === 'always_on'
      ? new AlwaysOnSampler()
      : name === 'always_off'
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(sampleRatio);
  return name === sampler ? root : new ParentBasedSampler({ root });
}
