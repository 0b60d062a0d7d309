/** A gateway with a receiver of its traces. */

import { afterEach, expect } from '@jest/globals';
import type { GatewayOptions, TestGateway } from './gateway.ts';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from './otlp-receiver.ts';
import { eventually, type Setup } from './setup.ts';

export interface Traced {
  readonly gateway: TestGateway;
  readonly receiver: OtlpReceiver;
  /** Resolves when so many have come, which is after the answer has; there must not be more. */
  spans(count: number): Promise<readonly ReceivedSpan[]>;
}

export function createTracedSetup(setup: Setup): (options: GatewayOptions) => Promise<Traced> {
  const receivers: OtlpReceiver[] = [];
  afterEach(async () => {
    for (const receiver of receivers.splice(0)) await receiver.close();
  });
  return async ({ env = {}, ...options }) => {
    const receiver = await startOtlpReceiver();
    receivers.push(receiver);
    const own = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' };
    const gateway = await setup.gateway({ ...options, env: { ...own, ...env } });
    return {
      gateway,
      receiver,
      async spans(count) {
        await eventually(async () => {
          await gateway.flushTraces();
          return receiver.spans().length >= count;
        });
        expect(receiver.spans()).toHaveLength(count);
        return receiver.spans();
      },
    };
  };
}
