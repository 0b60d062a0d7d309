/** Traces for an OTLP receiver, when there is one: only then anything of OpenTelemetry is loaded. */

import type { Logger } from '../../core/exchange.ts';
import type { Tracer } from '../../core/tracing.ts';

export interface TracingSettings {
  /** Base URL of the receiver. */
  readonly endpoint?: string | undefined;
  /** In its place, the whole URL. */
  readonly tracesEndpoint?: string | undefined;
  readonly disabled: boolean;
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly serviceName: string;
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler:
    | 'always_on'
    | 'always_off'
    | 'traceidratio'
    | 'parentbased_always_on'
    | 'parentbased_always_off'
    | 'parentbased_traceidratio';
  readonly sampleRatio: number;
  /** Backends hear of the trace. */
  readonly propagate: boolean;
  /** Prompts and answers are part of it. */
  readonly messageContent: boolean;
}

export interface TracingDeps {
  /** Of the program. */
  readonly version: string;
  /** Of this process. */
  readonly instanceId: string;
  readonly logger: Logger;
}

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what has ended by now. */
  flush(): Promise<void>;
  /** The same for the last time; resolves after some seconds, sent or not. */
  close(): Promise<void>;
}

/** undefined: there is nowhere to send traces to. */
export async function openTracing(
  settings: TracingSettings,
  deps: TracingDeps,
): Promise<Tracing | undefined> {
  const url = urlOf(settings);
  if (url === undefined || settings.disabled) return undefined;
  const { createOtelTracing } = await import('./otel.ts');
  return createOtelTracing(settings, url, deps);
}

/** The base URL may have a path and a query, which receivers with accounts use. */
function urlOf({ endpoint, tracesEndpoint }: TracingSettings): string | undefined {
  if (tracesEndpoint !== undefined || endpoint === undefined) return tracesEndpoint;
  const url = new URL(endpoint);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
  return url.href;
}
