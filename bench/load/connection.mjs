// One connection that asks the same question again and again, one answer after the other.

import { connect } from 'node:net';
import { createResponseReader } from './response.mjs';

/** Every connection reads into it; a read is copied out before the next one can begin. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * @typedef {object} ConnectionOptions
 * @property {number} port
 * @property {string} request with its head, one character per byte
 * @property {() => import('./answers.mjs').Answer} createAnswer
 * @property {() => number} now microseconds
 * @property {() => void} onRequest the request is about to be written
 * @property {() => void} onRead
 * @property {(fault: string | undefined) => boolean} onAnswer true: ask again
 */

/** @param {ConnectionOptions} options */
export function openConnection({ port, request, createAnswer, now, onRequest, onRead, onAnswer }) {
  let answer;
  let status = 0;
  /** A question is open: from the start, because connecting may fail too. */
  let isAsking = true;

  const push = createResponseReader({
    onHead: (given) => (status = given),
    onBody: (text) => answer.push(text, now()),
    onEnd: () => conclude(status === 200 ? answer.end() : `status ${status}`),
  });
  const socket = connect({
    host: '127.0.0.1',
    port,
    noDelay: true,
    onread: {
      buffer: READ_BUFFER,
      callback(length, buffer) {
        onRead();
        try {
          push(buffer.latin1Slice(0, length));
        } catch (error) {
          socket.destroy();
          conclude(error.message);
        }
        return true;
      },
    },
  });

  function ask() {
    isAsking = true;
    answer = createAnswer();
    onRequest();
    socket.write(request, 'latin1');
  }

  function conclude(fault) {
    if (!isAsking) return;
    isAsking = false;
    if (onAnswer(fault)) ask();
    else socket.destroy();
  }

  socket.on('connect', ask);
  socket.on('error', (error) => conclude(`connection: ${error.code}`));
  socket.on('close', () => conclude('connection closed early'));
}
