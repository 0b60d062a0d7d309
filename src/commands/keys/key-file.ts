/** The key file as commands read and change it. */

import { readFileSync } from 'node:fs';
import { ConfigError } from '../../config/fault.ts';
import { parseKeyFile } from '../../config/key-file.ts';
import type { FileKey } from '../../config/schema/auth.ts';
import { isJsonObject } from '../../core/json.ts';
import { editFile } from '../../node/edit-file.ts';
import { findKey } from './edits.ts';
import { refused } from './failure.ts';

/** Throws CommandFailure when it cannot be read, and ConfigError when it is broken. */
export function readKeys(file: string): readonly FileKey[] {
  try {
    return parse(readFileSync(file, 'utf8'), file);
  } catch (error) {
    throw toFailure(error, file, 'read');
  }
}

/** There need not be a file yet. Rejects as `readKeys` throws, and with what `change` throws. */
export function changeKeys(
  file: string,
  change: (keys: readonly FileKey[]) => readonly FileKey[],
): Promise<void> {
  return edit(file, (text) => change(text === undefined ? [] : parse(text, file)));
}

/** One key, by its name or id; resolves with what it has become. Rejects as `changeKeys` does. */
export function changeKey(file: string, called: string, change: (key: FileKey) => FileKey): Promise<FileKey> {
  return new Promise((resolve, reject) => {
    let after: FileKey;
    edit(file, (text) => {
      if (text === undefined) throw missing(file);
      const keys = parse(text, file);
      const before = findKey(keys, called);
      after = change(before);
      return keys.map((key) => (key === before ? after : key));
    }).then(() => resolve(after), reject);
  });
}

async function edit(file: string, change: (text: string | undefined) => readonly FileKey[]): Promise<void> {
  try {
    await editFile(file, (text) => `${JSON.stringify({ keys: change(text) }, null, 2)}\n`);
  } catch (error) {
    throw toFailure(error, file, 'write');
  }
}

function parse(text: string, file: string): readonly FileKey[] {
  const { keys, faults } = parseKeyFile(text, file);
  if (faults.length > 0) throw new ConfigError(faults);
  return keys;
}

function missing(file: string): Error {
  return refused(`there is no file '${file}'. Name another with --file, or make a first key: keys create`);
}

/** Node's errors of the file system in words; others as they are. */
function toFailure(error: unknown, file: string, verb: 'read' | 'write'): unknown {
  const code = isJsonObject(error) ? error.code : undefined;
  if (typeof code !== 'string') return error;
  if (code === 'ENOENT' && verb === 'read') return missing(file);
  const reason =
    code === 'ENOENT' ? 'its folder is not there' : code === 'EACCES' ? 'it is not allowed' : code;
  return refused(`cannot ${verb} '${file}': ${reason}.`);
}
