/** OpenTelemetry's variables → settings. */

import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '../../src/config/fault.ts';
import { loadConfig, type Config } from '../../src/config/load.ts';
import { hashKey } from '../../src/node/hash-key.ts';
import { tlsChecks } from '../../src/node/tls.ts';

function load(env: Readonly<Record<string, string>>): Config['tracing'] {
  return loadConfig({ hashKey, tlsChecks, env, exists: () => false, readFile: () => '' }).tracing;
}

function faultOf(env: Readonly<Record<string, string>>): string {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

it('pairs are read as OpenTelemetry writes them', () => {
  expect(
    load({
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20dXNlcg==, x-team = a%2Cb,empty=',
      OTEL_RESOURCE_ATTRIBUTES: 'service.namespace=shop,odd=100%',
    }),
  ).toMatchObject({
    headers: { authorization: 'Basic dXNlcg==', 'x-team': 'a,b', empty: '' },
    resource: { 'service.namespace': 'shop', odd: '100%' },
  });
});

it.each([
  ['true', true],
  ['false', false],
  ['SPAN_ONLY', true],
  ['span_only', true],
  ['NO_CONTENT', false],
  ['', false],
])('content that is wanted with %j is wanted: %s', (wish, isWanted) => {
  const env = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: wish };
  expect(load(env).messageContent).toBe(isWanted);
});

describe('a fault', () => {
  it.each([
    ['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT', 'EVENT_ONLY', /'SPAN_ONLY'/],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', /'http\/protobuf', 'http\/json'/],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote', /'parentbased_always_on'/],
    ['OTEL_TRACES_SAMPLER_ARG', '2', /at most 1/],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', '0', /at least 1/],
  ])('in %s says what is meant', (name, value, words) => {
    const fault = faultOf({ [name]: value });
    expect(fault).toMatch(words);
    expect(fault).toContain(`environment ${name}`);
  });

  it.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318/topsecret'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'https://user:topsecret@collector'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'ftp://collector/topsecret'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'topsecret'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'x-key=topsecret%0Aother'],
  ])('in %s does not show it', (name, value) => {
    const fault = faultOf({ [name]: value });
    expect(fault).toContain(`environment ${name}`);
    expect(fault).not.toContain('topsecret');
  });
});
