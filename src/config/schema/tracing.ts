/** Where traces go, and what they tell. Most of the variables are those of every OpenTelemetry SDK. */

import * as z from 'zod';
import { milliseconds } from './forms.ts';

const PROTOCOLS = ['http/protobuf', 'http/json'] as const;
const SAMPLERS = [
  'parentbased_traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'traceidratio',
  'always_on',
  'always_off',
] as const;
/** Spans cannot hold messages elsewhere: the gateway sends no events of OpenTelemetry's log. */
const CONTENT_WORDS = ['SPAN_ONLY', 'NO_CONTENT', 'span_only', 'no_content'] as const;

/** Not shown when it is wrong: people put keys into such URLs. */
const endpoint = z
  .string()
  .refine(isCollector, 'expected an http:// or https:// URL without user, password and fragment.');

const texts = z.record(z.string().regex(/^[\x21-\x7e]{1,256}$/), z.string().max(4096));

export const tracing = z
  .strictObject({
    endpoint: endpoint
      .optional()
      .describe('Base URL of an OTLP receiver; `/v1/traces` is added. Without it there are no traces.'),
    tracesEndpoint: endpoint.optional().describe('In its place, the whole URL for traces.'),
    disabled: z.boolean().default(false).describe('No traces whatever else is set.'),
    protocol: z.enum(PROTOCOLS).default('http/protobuf').describe('How spans are written.'),
    headers: z
      .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/), z.string().regex(/^[\t\x20-\x7e]*$/))
      .default({})
      .describe('Sent to the receiver.'),
    timeoutMs: milliseconds(1, 60_000).prefault(10_000).describe('How long sending may take.'),
    serviceName: z.string().min(1).max(256).default('node-ai-gateway').describe('The name of this service.'),
    resource: texts.default({}).describe('Further attributes of this service.'),
    sampler: z.enum(SAMPLERS).default('parentbased_traceidratio').describe('Who decides what is recorded.'),
    sampleRatio: z.number().min(0).max(1).default(1).describe('The share of traces, for samplers by ratio.'),
    propagate: z
      .boolean()
      .default(true)
      .describe('Sends `traceparent` and `tracestate` to backends; without traces, those of the client.'),
    messageContent: z
      .union([z.boolean(), z.enum(CONTENT_WORDS)], {
        error: "expected true, false, 'SPAN_ONLY' or 'NO_CONTENT'",
      })
      .transform((wish) => wish === true || wish === 'SPAN_ONLY' || wish === 'span_only')
      .prefault(false)
      .describe('Puts prompts and answers into spans.'),
  })
  .prefault({});

function isCollector(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return false;
  const { username, password, hash } = new URL(text);
  return username === '' && password === '' && hash === '';
}
