/** What commands must know of the configuration to work on keys, whatever is wrong with the rest of it. */

import * as z from 'zod';
import { ANONYMOUS } from '../core/client.ts';
import { isJsonObject } from '../core/json.ts';
import { readEnv } from './env.ts';
import { ConfigError } from './fault.ts';
import { createLocator, toFaults } from './faults.ts';
import { merge, openFile, type ConfigSources } from './load.ts';
import { hashSecret, keyFile } from './schema/auth.ts';

export interface KeySettings {
  readonly keyFile: string | undefined;
  readonly hashSecret: string | undefined;
  /** A key of the key file may not have this name, as another source has it or may have it. */
  isTaken(name: string): boolean;
}

const schema = z.object({
  keyFile,
  hashSecret,
  clients: z.array(z.object({ name: z.string() })).default([]),
});

/** Of keys that the environment gives, see `readKeys`. */
const NAMES_OF_ENVIRONMENT = /^(admin|default|key-\d+)$/;

/** Throws ConfigError. Variables that are set for the gateway alone may be missing here. */
export function loadKeySettings({
  env,
  readFile,
  exists,
}: Pick<ConfigSources, 'env' | 'readFile' | 'exists'>): KeySettings {
  const fromEnv = readEnv(env, readFile);
  const file = openFile(env, readFile, exists);
  if (!file.isReadable) throw new ConfigError(file.faults);
  const raw = merge(file.values, fromEnv);
  const locate = createLocator(file, fromEnv, raw);
  const auth = isJsonObject(raw) ? (raw.auth ?? {}) : {};
  const result = schema.safeParse(auth, { reportInput: true });
  if (!result.success) {
    throw new ConfigError(
      result.error.issues.flatMap((issue) => toFaults({ ...issue, path: ['auth', ...issue.path] }, locate)),
    );
  }
  const { clients, ...settings } = result.data;
  const needed = new Set(
    (['keyFile', 'hashSecret'] as const)
      .filter((name) => settings[name]?.includes('${') ?? false)
      .map((name) => locate(['auth', name]))
      .concat(
        ['GATEWAY_CONFIG', 'KEY_FILE_FILE', 'KEY_HASH_SECRET_FILE'].map((name) => `environment ${name}`),
      ),
  );
  const missing = [...fromEnv.faults, ...file.faults].filter(({ where }) => needed.has(where));
  if (missing.length > 0) throw new ConfigError(missing);
  const taken = new Set([ANONYMOUS.name, ...clients.map(({ name }) => name)]);
  return {
    keyFile: settings.keyFile,
    hashSecret: settings.hashSecret,
    isTaken: (name) => taken.has(name) || NAMES_OF_ENVIRONMENT.test(name),
  };
}
