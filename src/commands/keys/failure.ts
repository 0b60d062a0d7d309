/** What ends a command, with its exit code. */

import { EXIT } from '../exit-codes.ts';

/** Its message is fit for a terminal; no stack is needed. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

export function refused(message: string): CommandFailure {
  return new CommandFailure(EXIT.refused, message);
}

export function misused(message: string): CommandFailure {
  return new CommandFailure(EXIT.usage, message);
}
