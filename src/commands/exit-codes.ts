/** With what a command ends. A configuration at fault has a code of its own: config/fault.ts. */

export const EXIT = {
  done: 0,
  /** What was asked for cannot be done: no such key, a name that is taken, a file that cannot be written. */
  refused: 1,
  /** Sysexits' EX_USAGE: the line was not understood. */
  usage: 64,
} as const;
