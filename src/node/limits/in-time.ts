/** Answers that have a time limit. */

/**
 * Rejects when there is no answer after so many milliseconds; `late` gets one that comes afterwards.
 * What has come by then counts, also if this process was too busy to look at it: timers run before
 * sockets are read.
 */
export function inTime<T>(
  answer: Promise<T>,
  limitMs: number,
  who: string,
  late: (answer: T) => void = () => undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const timer = setTimeout(() => {
      setImmediate(() => {
        isOver = true;
        reject(new Error(`${who} did not answer in time`));
      });
    }, limitMs);
    answer
      .then((value) => {
        if (isOver) late(value);
        else resolve(value);
      }, reject)
      .finally(() => {
        clearTimeout(timer);
      });
  });
}
