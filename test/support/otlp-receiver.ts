/** An OpenTelemetry receiver over real sockets that takes traces as JSON and shows the spans in them. */

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedSpan {
  readonly name: string;
  readonly kind: 'server' | 'client' | 'other';
  readonly traceId: string;
  readonly spanId: string;
  /** '' when it has none. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[];
  readonly isError: boolean;
  /** Of the service that sent it. */
  readonly resource: Attributes;
}

type Attributes = Readonly<Record<string, unknown>>;

export interface OtlpReceiver {
  readonly url: string;
  readonly requests: readonly {
    readonly path: string;
    readonly headers: IncomingMessage['headers'];
    readonly text: string;
  }[];
  /** All that came so far, a trace after the other: its server span, then the others in the order in which they ended. */
  spans(): readonly ReceivedSpan[];
  /** What it answers from now on; 200 at first. */
  answer(status: number): void;
  close(): Promise<void>;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const requests: OtlpReceiver['requests'][number][] = [];
  let status = 200;
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      requests.push({
        path: String(req.url),
        headers: req.headers,
        text: Buffer.concat(chunks).toString('latin1'),
      });
      res.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    requests,
    spans: () => {
      const spans = requests.flatMap(toSpans);
      const traces = new Set(spans.map(({ traceId }) => traceId));
      return [...traces].flatMap((id) => serverFirst(spans.filter(({ traceId }) => traceId === id)));
    },
    answer(next) {
      status = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

// --- OTLP in JSON ---

interface OtlpTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly OtlpAttribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

interface OtlpSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly attributes: readonly OtlpAttribute[];
  readonly events: readonly { readonly name: string; readonly attributes?: readonly OtlpAttribute[] }[];
  readonly status: { readonly code?: number };
}

interface OtlpAttribute {
  readonly key: string;
  readonly value: OtlpValue;
}

interface OtlpValue {
  readonly arrayValue?: { readonly values: readonly OtlpValue[] };
  readonly [type: string]: unknown;
}

const KINDS: Readonly<Record<number, ReceivedSpan['kind']>> = { 2: 'server', 3: 'client' };
const ERROR = 2;

function serverFirst(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  return [...spans].sort((a, b) => Number(b.kind === 'server') - Number(a.kind === 'server'));
}

function toSpans({ headers, text }: OtlpReceiver['requests'][number]): ReceivedSpan[] {
  if (headers['content-type'] !== 'application/json') return [];
  const { resourceSpans } = JSON.parse(Buffer.from(text, 'latin1').toString()) as OtlpTraces;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        name: span.name,
        kind: KINDS[span.kind] ?? 'other',
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? '',
        traceState: span.traceState ?? '',
        attributes: toAttributes(span.attributes),
        events: span.events.map(({ name, attributes = [] }) => ({
          name,
          attributes: toAttributes(attributes),
        })),
        isError: span.status.code === ERROR,
        resource: toAttributes(resource.attributes),
      })),
  );
}

function toAttributes(attributes: readonly OtlpAttribute[]): Attributes {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, toValue(value)]));
}

function toValue({ arrayValue, ...value }: OtlpValue): unknown {
  return arrayValue ? arrayValue.values.map(toValue) : Object.values(value)[0];
}
