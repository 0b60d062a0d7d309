/** What is wrong with a configuration, all of it at once, in words that say how to mend it. */

export interface Fault {
  /** `gateway.yaml:4:5` or `environment PORT`. */
  readonly where: string;
  readonly message: string;
}

/** Sysexits' EX_CONFIG: a supervisor sees that a restart will not help. */
export const CONFIG_EXIT_CODE = 78;

/** Thrown with every fault that was found. Its message is fit for a terminal; no stack is needed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    const lines = faults.map(({ where, message }) => `  ${where}  ${message}`);
    const count = faults.length === 1 ? 'a fault' : `${String(faults.length)} faults`;
    super([`The configuration has ${count}:`, ...lines].join('\n'));
    this.faults = faults;
  }
}
