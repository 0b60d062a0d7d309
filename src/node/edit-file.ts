/** Changes a small file so that readers see all of the old or all of the new, and two writers lose nothing. */

import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { isJsonObject } from '../core/json.ts';

/** Of one other writer; each needs a few milliseconds. */
const LOCK_TIMEOUT_MS = 5000;
const LOCK_POLL_MS = 20;
/** For nobody but its owner. */
const MODE = 0o600;

/**
 * `change` gets what is in the file, undefined when there is no file, and gives what is to be in it;
 * what it throws leaves all as it is. Rejects with Node's errors of the file system, and with an Error
 * that says what to do when somebody else still holds the lock after `waitMs`.
 */
export async function editFile(
  path: string,
  change: (text: string | undefined) => string,
  waitMs = LOCK_TIMEOUT_MS,
): Promise<void> {
  // Of a link the file behind it is changed, and not the link.
  const target = existsSync(path) ? realpathSync(path) : path;
  const lock = `${target}.lock`;
  await take(lock, Date.now() + waitMs);
  try {
    const isThere = existsSync(target);
    replace(target, change(isThere ? readFileSync(target, 'utf8') : undefined));
  } finally {
    rmSync(lock, { force: true });
  }
}

/** A lock that was left behind stays: nobody can know that of another machine's, and it takes one look. */
async function take(lock: string, untilMs: number): Promise<void> {
  for (;;) {
    try {
      writeFileSync(lock, `${String(process.pid)}\n`, { flag: 'wx', mode: MODE });
      return;
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
      if (Date.now() >= untilMs) {
        throw new Error(
          `'${lock}' is there: another command is changing the file, or one was killed while it did. ` +
            'When none is at work, delete it.',
          { cause: error },
        );
      }
    }
    await new Promise((resolve) => {
      setTimeout(resolve, LOCK_POLL_MS);
    });
  }
}

/** Written beside it, on the disk before it is called by the name, and owned by whom the old one was. */
function replace(path: string, text: string): void {
  // Nobody else uses the name: who writes holds the lock.
  const temporary = `${path}.tmp`;
  rmSync(temporary, { force: true });
  try {
    const file = openSync(temporary, 'wx', MODE);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    keepOwner(path, temporary);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

/** Else a gateway of another user could not read what root has changed. */
function keepOwner(path: string, temporary: string): void {
  if (!existsSync(path)) return;
  const [before, now] = [statSync(path), statSync(temporary)];
  if (before.uid !== now.uid || before.gid !== now.gid) chownSync(temporary, before.uid, before.gid);
}

/** The new name is on the disk as well; not every system lets a folder be opened. */
function syncFolder(folder: string): void {
  try {
    const file = openSync(folder, 'r');
    fsyncSync(file);
    closeSync(file);
  } catch (error) {
    if (!['EISDIR', 'EPERM', 'EACCES', 'EINVAL'].some((code) => isCode(error, code))) throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return isJsonObject(error) && error.code === code;
}
