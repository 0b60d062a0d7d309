/** An attempt as its trace hears of it, without the attempt having to know. */

import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Lease, Target } from '../core/fleet.ts';
import { NO_REASONS, type ByteText, type Converter } from '../core/stream.ts';
import type { UpstreamRequest } from '../core/upstream.ts';

export interface TracedAttempt {
  /** The same request, as part of the trace. */
  request(request: UpstreamRequest): UpstreamRequest;
  /** The same lease, and the first piece is heard of. */
  lease(lease: Lease): Pick<Lease, 'answered'>;
  /** The same converter, and what it says is kept where it is wanted. */
  converter(converter: Converter): Converter;
  /** Once. */
  end(outcome: 'ok' | GatewayError): void;
}

/** Of an answer, where it is kept for its trace. */
const MAX_ANSWER_BYTES = 256 * 1024;

/** undefined where nobody traces the exchange. */
export function traceAttempt(
  { trace, operation, isStream }: Exchange,
  { backend, upstreamModel: model }: Target,
): TracedAttempt | undefined {
  if (!trace || !operation) return undefined;
  const attempt = trace.attempt({ backend, model, isStream, traits: operation.traits() });
  let heard: Converter | undefined;
  let answer = '';

  return {
    request: (request) => ({ ...request, headers: attempt.headers }),
    lease: (lease) => ({
      answered() {
        lease.answered();
        attempt.answered();
      },
    }),
    converter(converter) {
      heard = converter;
      if (!attempt.wantsAnswer) return converter;
      const take = converter.take.bind(converter);
      return Object.assign(converter, {
        take() {
          const bytes = take();
          if (answer.length < MAX_ANSWER_BYTES) answer += bytes;
          return bytes;
        },
      });
    },
    end(outcome) {
      // An answer that came with one read has its first piece at its end.
      if (heard?.isDone) attempt.answered();
      attempt.end({
        error: outcome === 'ok' ? undefined : outcome,
        usage: heard?.usage ?? null,
        model: heard?.model ?? '',
        finishReasons: heard?.finishReasons ?? NO_REASONS,
        answer: answer as ByteText,
      });
    },
  };
}
