// One clock for all processes of the machine, so that a token's age can be told elsewhere than where it began.

/** Microseconds of CLOCK_MONOTONIC, which every process of a machine shares. */
export function nowMicroseconds() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}
