/** The limits on silence and the heartbeats of all exchanges, kept by one tick instead of timers. */

import { GatewayError } from '../core/errors.ts';
import type { Exchange, Now, Relay } from '../core/exchange.ts';
import type { Timeouts } from '../core/fleet.ts';

/** Silence after which a comment is sent, in milliseconds; 0 turns it off. */
export interface Heartbeat {
  /** Before the first token. The comment commits: no other backend can be tried afterwards. */
  readonly commitAfterMs: number;
  readonly everyMs: number;
}

/**
 * One exchange under watch. The fields are flags and a count that the data path changes, because per
 * token that costs nothing and a clock or a timer does; the tick reads them.
 */
export interface Watched {
  /** A whole record came from the backend. */
  hasRecord: boolean;
  /** Pieces of the answer that were written to the client. */
  writes: number;
  /** The answer has begun: the idle limit holds in place of the first-token limit. */
  isAnswering: boolean;
  /** We wait for the client to read, so the backend's silence is our doing. */
  isPaused: boolean;
  /** The client is still sending its request, so the backend's silence is its good right. */
  isSending: boolean;
}

/** The client, as far as it matters how long it has waited. */
export interface Waiting extends Pick<Exchange, 'deadlineMs'> {
  readonly relay: Pick<Relay, 'isCommitted' | 'comment'>;
}

export interface Watch {
  /** Silence is answered by a heartbeat on the relay, a broken limit by `abort`. */
  start(timeouts: Timeouts, heartbeat: Heartbeat, client: Waiting, abort: AbortController): Watched;
  stop(watched: Watched): void;
  /** To be called a few times a second. Limits are kept to the next tick, never early. */
  tick(): void;
}

interface Entry extends Watched {
  readonly timeouts: Timeouts;
  readonly heartbeat: Heartbeat;
  readonly relay: Waiting['relay'];
  readonly deadlineMs: number;
  readonly abort: AbortController;
  readonly startedMs: number;
  heardMs: number;
  wroteMs: number;
  /** At the last tick. */
  writesBefore: number;
  /** When the client was last seen to read. */
  readMs: number;
}

/** `stalledReaderMs`: how long a client may leave unread what was sent to it; 0: for ever. */
export function createWatch(now: Now, stalledReaderMs: () => number): Watch {
  const entries = new Set<Entry>();

  return {
    start(timeouts, heartbeat, { relay, deadlineMs }, abort) {
      const startedMs = now();
      const entry: Entry = {
        timeouts,
        heartbeat,
        relay,
        deadlineMs,
        abort,
        startedMs,
        heardMs: startedMs,
        wroteMs: startedMs,
        readMs: startedMs,
        hasRecord: false,
        writes: 0,
        writesBefore: 0,
        isAnswering: false,
        isPaused: false,
        isSending: false,
      };
      entries.add(entry);
      return entry;
    },

    stop(watched) {
      entries.delete(watched as Entry);
    },

    tick() {
      const nowMs = now();
      const stalledMs = stalledReaderMs();
      for (const entry of entries) {
        const error = checkLimits(entry, nowMs) ?? checkClient(entry, nowMs, stalledMs);
        if (error) {
          entries.delete(entry);
          entry.abort.abort(error);
        } else {
          checkSilence(entry, nowMs);
        }
      }
    },
  };
}

function checkLimits(entry: Entry, nowMs: number): GatewayError | undefined {
  const { firstTokenMs, idleMs, totalMs } = entry.timeouts;
  const isAlive = entry.hasRecord && entry.isAnswering;
  if (isAlive || entry.isPaused || entry.isSending) entry.heardMs = nowMs;
  entry.hasRecord = false;
  const silentMs = nowMs - entry.heardMs;
  if (!entry.isAnswering && isOver(silentMs, firstTokenMs)) {
    return new GatewayError('upstream_first_token_timeout', {
      message: `The upstream server sent no token within ${seconds(firstTokenMs)}.`,
    });
  }
  if (entry.isAnswering && isOver(silentMs, idleMs)) {
    return new GatewayError('upstream_idle_timeout', {
      message: `The upstream server sent nothing for ${seconds(idleMs)} in the middle of the answer.`,
    });
  }
  if (isOver(nowMs - entry.startedMs, totalMs)) {
    return new GatewayError('upstream_total_timeout', {
      message: `The answer was not complete after ${seconds(totalMs)}.`,
    });
  }
  return undefined;
}

function checkClient(entry: Entry, nowMs: number, stalledMs: number): GatewayError | undefined {
  if (!entry.isPaused) entry.readMs = nowMs;
  if (isOver(nowMs - entry.readMs, stalledMs)) {
    return new GatewayError('client_stalled', {
      message: `The client read nothing for ${seconds(stalledMs)}.`,
    });
  }
  if (nowMs >= entry.deadlineMs && !entry.relay.isCommitted) {
    return deadlineExceeded();
  }
  return undefined;
}

export function deadlineExceeded(): GatewayError {
  return new GatewayError('deadline_exceeded', {
    message: 'The answer did not begin within the time that the client gave it.',
  });
}

function checkSilence(entry: Entry, nowMs: number): void {
  const { heartbeat, relay } = entry;
  if (entry.writes !== entry.writesBefore || entry.isPaused) entry.wroteMs = nowMs;
  entry.writesBefore = entry.writes;
  if (!isOver(nowMs - entry.wroteMs, relay.isCommitted ? heartbeat.everyMs : heartbeat.commitAfterMs)) return;
  entry.wroteMs = nowMs;
  relay.comment('keep-alive');
}

function isOver(elapsedMs: number, limitMs: number): boolean {
  return limitMs > 0 && elapsedMs >= limitMs;
}

function seconds(ms: number): string {
  return `${String(ms / 1000)} s`;
}
