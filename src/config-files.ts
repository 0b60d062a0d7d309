/** The files that the configuration is made of, with what was in them when it was. */

import { existsSync, readFileSync } from 'node:fs';
import { DEFAULT_CONFIG_FILE, loadConfig, type Config } from './config/load.ts';
import { hashKey } from './node/hash-key.ts';
import { tlsChecks } from './node/tls.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface ConfigFiles {
  /** Texts by path, as the last load read them; '' for a file that was not there. */
  readonly contents: ReadonlyMap<string, string>;
  /** Reads them anew. Throws ConfigError. */
  load(): Config;
  /** The contents as text, for another process. */
  print(): string;
}

/**
 * `held`: what print() gave in a process whose configuration holds. The first load takes that in place
 * of what is there now, which may have a fault, or not be meant to be taken over yet.
 */
export function createConfigFiles(env: Env, held?: string): ConfigFiles {
  const contents = new Map<string, string>();
  // Watched also when it is not there.
  const main =
    env.GATEWAY_CONFIG === undefined || env.GATEWAY_CONFIG === '' ? DEFAULT_CONFIG_FILE : env.GATEWAY_CONFIG;
  let kept = held === undefined ? undefined : new Map(JSON.parse(held) as [string, string][]);

  return {
    contents,
    load() {
      const before = kept;
      kept = undefined;
      const read = before
        ? (path: string) => readKept(before, path)
        : (path: string) => readFileSync(path, 'utf8');
      contents.clear();
      contents.set(main, '');
      return loadConfig({
        env,
        readFile(path) {
          contents.set(path, '');
          const text = read(path);
          contents.set(path, text);
          return text;
        },
        exists: (path) => (before ? Boolean(before.get(path)) : existsSync(path)),
        hashKey,
        tlsChecks,
      });
    },
    print: () => JSON.stringify([...contents]),
  };
}

/** Every file of a configuration that holds was there, but for the one that may be missing. */
function readKept(kept: ReadonlyMap<string, string>, path: string): string {
  const text = kept.get(path);
  if (text === undefined) throw new Error(`'${path}' is no file of the configuration that holds`);
  return text;
}
