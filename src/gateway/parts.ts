/** One exchange as several upstream calls: each with its own lease and failover, told as one answer. */

import { GatewayError, toGatewayError } from '../core/errors.ts';
import type { Operation, PartResult, Split } from '../core/operation.ts';
import type { Exchange, Relay } from '../core/exchange.ts';
import type { ByteText, Owned, Usage } from '../core/stream.ts';

/** Calls of one exchange that are under way at the same time. */
const MAX_PARALLEL_PARTS = 16;

/** Runs one part to its end; rejects with its failure. Resolves with what it counted. */
export type RunPart = (part: Exchange) => Promise<Usage | null>;

/**
 * Resolves when the whole answer is told. Rejects with the first failure, when the other parts have
 * ended too. A part that finds all backends busy waits for one of the others to end.
 */
export async function runParts(split: Split, exchange: Exchange, runPart: RunPart): Promise<Usage | null> {
  const { relay } = exchange;
  const header = createHeaderUnion(relay);
  const parts = split.parts.map((operation) => createPart(exchange, operation, header));
  const waiting = parts.map((part, index) => ({ part, index }));
  const results: PartResult[] = [];
  const running = new Set<Promise<void>>();
  let failure: GatewayError | undefined;

  function giveUp(reason: GatewayError): void {
    failure ??= reason;
    waiting.length = 0;
    for (const part of parts) part.relay.cut(reason);
  }

  async function run(next: (typeof waiting)[number]): Promise<void> {
    const { exchange: part, relay: own } = next.part;
    try {
      const usage = await runPart(part);
      results[next.index] = { body: own.body, usage };
    } catch (thrown) {
      const error = toGatewayError(thrown);
      const canWait = error.reason === 'server_overloaded' && running.size > 1 && !own.isCommitted;
      if (failure) return;
      if (canWait) {
        waiting.unshift(next);
      } else {
        failure = error;
        giveUp(siblingFailed());
      }
    }
  }

  relay.onClose = giveUp;
  relay.onDrain = (): void => {
    for (const part of parts) part.relay.onDrain?.();
  };
  try {
    if (relay.closedBy) throw relay.closedBy;
    let width = MAX_PARALLEL_PARTS;
    while (waiting.length > 0 || running.size > 0) {
      for (const next of waiting.splice(0, width - running.size)) {
        const promise: Promise<void> = run(next).finally(() => running.delete(promise));
        running.add(promise);
      }
      const before = waiting.length;
      await Promise.race(running);
      // Somebody found no room: as many as are running now is what there is room for.
      if (waiting.length > before) width = Math.max(1, running.size);
    }
    if (failure) throw failure;
    const { bytes, usage } = split.conclude(results);
    relay.end(bytes);
    return usage;
  } finally {
    relay.onClose = undefined;
    relay.onDrain = undefined;
  }
}

interface Part {
  readonly exchange: Exchange;
  readonly relay: PartRelay;
}

function createPart(whole: Exchange, operation: Operation, header: SetHeader): Part {
  const relay = createPartRelay(whole.relay, whole.isStream, header);
  return { relay, exchange: { ...whole, operation, relay } };
}

interface PartRelay extends Relay {
  /** The whole answer of a part that is no stream. */
  readonly body: ByteText;
}

/** A stream's events go through at once; an answer in one piece is kept for the whole one. */
function createPartRelay(whole: Relay, isStream: boolean, header: SetHeader): PartRelay {
  const relay: Owned<PartRelay> = {
    isCommitted: false,
    closedBy: undefined,
    onDrain: undefined,
    onClose: undefined,
    body: '' as ByteText,
    header(name, value) {
      header(relay, name, value);
    },
    write(bytes) {
      relay.isCommitted = true;
      return relay.closedBy ? true : whole.write(bytes);
    },
    comment(text) {
      whole.comment(text);
    },
    end(bytes) {
      relay.isCommitted = true;
      if (!isStream) relay.body = bytes;
      else if (bytes !== '' && !relay.closedBy) whole.write(bytes);
    },
    cut(reason) {
      if (relay.closedBy) return;
      relay.closedBy = reason;
      relay.onClose?.(reason);
    },
    destroy() {
      whole.destroy();
    },
  };
  return relay;
}

type SetHeader = (part: PartRelay, name: string, value: string | undefined) => void;

/** A header is a list here: the whole answer has what any of its parts has in it. */
function createHeaderUnion(whole: Relay): SetHeader {
  const said = new Map<string, Map<PartRelay, string>>();
  return (part, name, value) => {
    const byPart = said.get(name) ?? new Map<PartRelay, string>();
    said.set(name, byPart);
    if (value === undefined) byPart.delete(part);
    else byPart.set(part, value);
    if (whole.isCommitted) return;
    const items = new Set([...byPart.values()].flatMap((list) => list.split(', ')));
    whole.header(name, items.size === 0 ? undefined : [...items].join(', '));
  };
}

/** Counts against no backend, like a client that left. */
function siblingFailed(): GatewayError {
  return new GatewayError('client_closed', { message: 'Another part of the same answer failed.' });
}
