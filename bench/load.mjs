#!/usr/bin/env node
// The load generator: `node load.mjs '<plan as JSON>'`. Opens connections, asks, checks every answer and
// prints a line of JSON for each step and one with the result. A process of its own, so that it can have
// a CPU of its own. Ends when its standard input does, when the plan is done, or when its time is over.

import { createEventAnswer, createRecordAnswer, createWholeAnswer } from './load/answers.mjs';
import { openConnection } from './load/connection.mjs';
import { createTally } from './load/tally.mjs';
import { nowMicroseconds } from './protocol/clock.mjs';

/**
 * @typedef {object} Plan
 * @property {number} port
 * @property {string} path
 * @property {string} body of every request
 * @property {'events' | 'records' | 'whole'} format of the answers
 * @property {number} tokens of every answer
 * @property {number} connections
 * @property {number} rampMs over which they are opened
 * @property {number} repeatMs for how long a connection asks again; 0: once
 * @property {number} timeoutMs after which everything unfinished is a fault
 * @property {number[]} [steps] open so many streams, tell, hold, go on to the next; never wait for an end
 * @property {number} [holdMs] how long each step lasts
 */

/** Between two looks at whether more connections are to be opened. */
const OPENING_TICK_MS = 5;

/** @type {Plan} */
const plan = JSON.parse(process.argv[2]);
const tally = createTally();
const request =
  `POST ${plan.path} HTTP/1.1\r\nHost: 127.0.0.1:${plan.port}\r\nContent-Type: application/json\r\n` +
  `Accept: */*\r\nContent-Length: ${plan.body.length}\r\n\r\n${plan.body}`;
const createAnswer = {
  events: createEventAnswer,
  records: createRecordAnswer,
  whole: createWholeAnswer,
}[plan.format];

const startedMs = performance.now();
let opened = 0;
let closed = 0;
/** Connections that have got their first token. */
let speaking = 0;

function open() {
  let askedAt = nowMicroseconds();
  let isSpeaking = false;
  let now = askedAt;
  opened++;
  tally.opened();

  function onToken(age, isFirst) {
    tally.token(age);
    if (!isFirst) return;
    tally.firstToken(now - askedAt);
    if (!isSpeaking) speaking++;
    isSpeaking = true;
  }

  openConnection({
    port: plan.port,
    request,
    createAnswer: () => createAnswer(plan.tokens, onToken),
    now: () => now,
    onRequest() {
      askedAt = nowMicroseconds();
      tally.request(askedAt);
    },
    onRead() {
      now = nowMicroseconds();
      tally.read();
    },
    onAnswer(fault) {
      const at = nowMicroseconds();
      tally.answer(fault, at, at - askedAt);
      const isAskingAgain = fault === undefined && performance.now() - startedMs < plan.repeatMs;
      if (isAskingAgain) return true;
      closed++;
      tally.closed();
      return false;
    },
  });
}

/** Opens connections at an even pace, until there are `count`. */
function openUpTo(count) {
  const before = opened;
  const beganMs = performance.now();
  const paceMs = plan.rampMs / plan.connections;
  return until(() => {
    const due = Math.floor((performance.now() - beganMs) / paceMs) + 1;
    while (opened < count && opened - before < due) open();
    return opened >= count;
  });
}

function until(isReached) {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (!isReached()) return;
      clearInterval(timer);
      resolve();
    }, OPENING_TICK_MS);
  });
}

function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Standard output is a pipe, which may take a moment. */
function finish() {
  process.stdout.write(`${JSON.stringify({ result: tally.result() })}\n`, () => process.exit(0));
}

setTimeout(() => {
  const left = (plan.steps?.at(-1) ?? plan.connections) - closed;
  if (left > 0) tally.faults['not complete in time'] = left;
  finish();
}, plan.timeoutMs);
process.stdin.on('end', () => process.exit(1)).resume();

if (plan.steps) {
  for (const count of plan.steps) {
    await openUpTo(count);
    await until(() => speaking + closed >= count);
    print({ open: speaking - closed });
    await new Promise((resolve) => setTimeout(resolve, plan.holdMs));
  }
} else {
  await openUpTo(plan.connections);
  await until(() => closed >= plan.connections);
}
finish();
