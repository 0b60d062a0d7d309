/** The key file → its keys, or its faults with their places. */

import { parseJson } from '../core/json.ts';
import type { Fault } from './fault.ts';
import { toFaults } from './faults.ts';
import { readConfigFile, type ConfigFile } from './file.ts';
import { keyFileSchema, type FileKey } from './schema/auth.ts';

export interface KeyFileContent {
  readonly keys: readonly FileKey[];
  /** `keys.json:4:5`: where `member` of the key at `index` stands. */
  locate(index: number, member: string): string;
  readonly faults: readonly Fault[];
}

/**
 * It may be large, so it is read as JSON. Only to find the place of a fault it is read as YAML, of
 * which JSON is a part.
 */
export function parseKeyFile(text: string, name: string): KeyFileContent {
  let document: ConfigFile | undefined;
  const asYaml = (): ConfigFile => (document ??= readConfigFile(text, name));
  const locate: KeyFileContent['locate'] = (index, member) => asYaml().locate(['keys', index, member]);

  const json = parseJson(text);
  if (json === undefined && asYaml().faults.length > 0) return { keys: [], locate, faults: asYaml().faults };
  const result = keyFileSchema.safeParse(json ?? asYaml().values, { reportInput: true });
  if (result.success) return { keys: result.data.keys, locate, faults: [] };
  const faults = result.error.issues.flatMap((issue) => toFaults(issue, asYaml().locate, keyFileSchema));
  return { keys: [], locate, faults };
}
