// What the connections of a run have seen, added up.

import { createHistogram } from './histogram.mjs';

/**
 * @typedef {object} LoadResult
 * @property {number} answers that were complete and right
 * @property {Record<string, number>} faults what was wrong with the others, and how often
 * @property {number} tokens
 * @property {number} reads of the load generator: several tokens may come with one
 * @property {number} seconds from the first request to the last answer
 * @property {number} mostAtOnce connections open at the same time, at most
 * @property {Quantiles} firstToken milliseconds from writing the request to reading the first token
 * @property {Quantiles} token milliseconds from the backend's write to our read
 * @property {Quantiles} answer milliseconds from writing the request to the end of the answer
 */

/** @typedef {{ p50: number | null, p99: number | null }} Quantiles */

export function createTally() {
  const firstToken = createHistogram();
  const token = createHistogram();
  const answer = createHistogram();
  const faults = {};
  let answers = 0;
  let reads = 0;
  let open = 0;
  let mostAtOnce = 0;
  let firstRequestAt;
  let lastAnswerAt = 0;

  return {
    faults,
    opened() {
      open++;
      mostAtOnce = Math.max(mostAtOnce, open);
    },
    closed() {
      open--;
    },
    request(at) {
      firstRequestAt ??= at;
    },
    read() {
      reads++;
    },
    token(age) {
      token.record(age);
    },
    firstToken(microseconds) {
      firstToken.record(microseconds);
    },
    answer(fault, at, microseconds) {
      lastAnswerAt = at;
      if (fault === undefined) {
        answers++;
        answer.record(microseconds);
      } else {
        faults[fault] = (faults[fault] ?? 0) + 1;
      }
    },
    /** @returns {LoadResult} */
    result: () => ({
      answers,
      faults,
      tokens: token.count(),
      reads,
      seconds: firstRequestAt === undefined ? 0 : Math.max(0, lastAnswerAt - firstRequestAt) / 1e6,
      mostAtOnce,
      firstToken: quantiles(firstToken),
      token: quantiles(token),
      answer: quantiles(answer),
    }),
  };
}

function quantiles(histogram) {
  const [p50, p99] = [0.5, 0.99].map((share) => {
    const microseconds = histogram.quantile(share);
    return microseconds === null ? null : microseconds / 1000;
  });
  return { p50, p99 };
}
