/** Loads the configuration anew while streams go on; one with a fault changes nothing. */

import { ConfigError } from './config/fault.ts';
import { isExposed, type Config } from './config/load.ts';
import type { Logger } from './core/exchange.ts';
import type { Reload, ReloadResult } from './http/admin/reload.ts';

export interface ReloadOptions {
  readonly first: Config;
  /** Throws ConfigError. */
  readonly load: () => Config;
  readonly apply: (config: Config) => Promise<void>;
  readonly logger: Logger;
  readonly reloaded: (isApplied: boolean) => void;
  /** False where another process finds the same faults in the same files, and says so. */
  readonly tellsFaults?: boolean;
}

/** What the process was built with. */
export const FIXED = [
  ['server', 'host'],
  ['server', 'port'],
  ['server', 'adminHost'],
  ['server', 'adminPort'],
  ['server', 'workers'],
  ['server', 'maxConnections'],
  ['server', 'maxHeaderBytes'],
  ['server', 'headersTimeoutMs'],
  ['server', 'requestTimeoutMs'],
  ['server', 'keepAliveTimeoutMs'],
  ['server', 'watchConfig'],
  ['redis', 'url'],
  ['redis', 'prefix'],
  ['log', 'level'],
  ['log', 'format'],
  ['metrics', 'enabled'],
  ['metrics', 'path'],
  ['usage', 'enabled'],
  ['usage', 'folder'],
  ['tracing', 'endpoint'],
  ['tracing', 'tracesEndpoint'],
  ['tracing', 'disabled'],
  ['tracing', 'protocol'],
  ['tracing', 'headers'],
  ['tracing', 'timeoutMs'],
  ['tracing', 'serviceName'],
  ['tracing', 'resource'],
  ['tracing', 'sampler'],
  ['tracing', 'sampleRatio'],
  ['tracing', 'propagate'],
  ['tracing', 'messageContent'],
] as const;

/** One after the other, in the order in which they were asked for. */
export function createReload(options: ReloadOptions): Reload {
  const { first, load, apply, logger, reloaded, tellsFaults = true } = options;
  let last: Promise<unknown> = Promise.resolve();

  async function run(): Promise<ReloadResult> {
    try {
      const next = load();
      checkExposure(next, first.server.host);
      await apply(next);
      const needRestart = changedOf(first, next);
      reloaded(true);
      logger.info('configuration reloaded', { ...(needRestart.length > 0 && { needRestart }) });
      return { isApplied: true, faults: [], needRestart };
    } catch (error) {
      reloaded(false);
      return { isApplied: false, faults: tell(error), needRestart: [] };
    }
  }

  /** What is wrong with a configuration says so itself; why it could not be applied, the stack does. */
  function tell(error: unknown): ReloadResult['faults'] {
    const message = 'configuration refused: the one before stays';
    if (error instanceof ConfigError) {
      const { faults } = error;
      if (tellsFaults) logger.error(message, { faults });
      return faults;
    }
    logger.error(message, { error });
    return [{ where: 'gateway', message: 'The configuration could not be applied; the log says why.' }];
  }

  return () => {
    const result = last.then(run);
    last = result;
    return result;
  };
}

/** The address on which the gateway listens is the one with which it started. */
function checkExposure(next: Config, host: string): void {
  if (!isExposed(next, host)) return;
  throw new ConfigError([
    {
      where: 'auth',
      message:
        `the gateway listens on '${host}', and without a key everybody could use the backends. Keep a key, ` +
        'or set ALLOW_ANONYMOUS=true if that is meant.',
    },
  ]);
}

function changedOf(before: Config, after: Config): string[] {
  const valueOf = (config: Config, [section, name]: readonly [string, string]): string | undefined =>
    JSON.stringify((config[section as 'server'] as Record<string, unknown>)[name]);
  return [
    ...FIXED.filter((path) => valueOf(before, path) !== valueOf(after, path)).map((path) => path.join('.')),
    ...(encryptionOf(before) === encryptionOf(after) ? [] : ['server.tls']),
  ];
}

/** Certificates are replaced while all goes on; not whether there are any, and whether clients need one. */
function encryptionOf({ server: { tls } }: Config): 'none' | 'one-sided' | 'mutual' {
  if (!tls) return 'none';
  return tls.clientCa === undefined ? 'one-sided' : 'mutual';
}
