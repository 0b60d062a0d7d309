// Sends answers token by token: paced ones by the wheel, eager ones whenever their client has room.

import { nowMicroseconds } from '../protocol/clock.mjs';
import { createWheel } from './wheel.mjs';

/**
 * @typedef {object} Stream
 * @property {import('node:net').Socket} socket
 * @property {import('./frames.mjs').Frames} frames
 * @property {boolean} hasUsage whether the client asked for token counts
 * @property {number} next the place of the next token
 * @property {number} dueMs of the next token, by performance.now()
 * @property {boolean} isOpen
 */

/** Writes of one eager stream before the others have their turn. */
const WRITES_A_TURN = 4;

export function createStreams() {
  const wheel = createWheel(step);
  let openCount = 0;
  /** @type {Stream[]} */
  let eager = [];

  /** @param {Stream} stream */
  function step(stream) {
    const { perSecond, perWrite } = stream.frames.simulation;
    // A client that does not read makes its own stream slower.
    if (stream.isOpen && !stream.socket.writableNeedDrain) writeTokens(stream);
    if (!stream.isOpen) return;
    stream.dueMs += (1000 * perWrite) / perSecond;
    wheel.schedule(stream);
  }

  function rush() {
    const turn = eager;
    eager = [];
    for (const stream of turn) {
      const { socket } = stream;
      for (let i = 0; i < WRITES_A_TURN && stream.isOpen && !socket.writableNeedDrain; i++) {
        writeTokens(stream);
      }
      if (!stream.isOpen) continue;
      if (socket.writableNeedDrain) socket.once('drain', () => join(stream));
      else eager.push(stream);
    }
    if (eager.length > 0) setImmediate(rush);
  }

  function join(stream) {
    eager.push(stream);
    if (eager.length === 1) setImmediate(rush);
  }

  /** One write of tokens, with the head before the first and the tail behind the last. */
  function writeTokens(stream) {
    const { socket, frames, next } = stream;
    const { tokens, perWrite } = frames.simulation;
    const count = Math.min(perWrite, tokens - next);
    const isLast = next + count === tokens;
    const isPlain = next > 0 && !isLast;
    stream.next += count;
    if (!isPlain) socket.cork();
    if (next === 0) socket.write(frames.head, 'latin1');
    socket.write(frames.fill(next, count, nowMicroseconds()));
    if (isLast) socket.write(frames.tail(stream.hasUsage), 'latin1');
    if (!isPlain) socket.uncork();
    // What the kernel did not take at once is sent later, from these very bytes.
    if (socket.writableLength > 0) frames.detach();
    if (isLast) close(stream);
  }

  /** @param {Stream | undefined} stream */
  function close(stream) {
    if (!stream?.isOpen) return;
    stream.isOpen = false;
    openCount--;
  }

  return {
    /**
     * Begins an answer.
     * @returns {Stream}
     */
    start(socket, frames, hasUsage) {
      const stream = { socket, frames, hasUsage, next: 0, dueMs: performance.now(), isOpen: true };
      openCount++;
      if (frames.simulation.perSecond === 0) join(stream);
      else step(stream);
      return stream;
    },
    close,
    countOpen: () => openCount,
  };
}
