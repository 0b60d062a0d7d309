/** Tells when one of several files has other contents than were read, however it came by them. */

import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Editors and Kubernetes change a file in several steps; the last one counts. */
const SETTLE_MS = 100;

export interface FileWatch {
  /** Looks now. To be called when the files were read anew: there may be others among them. */
  look(): void;
  close(): void;
}

/**
 * `read` has the files with what was in them when they were read; '' for one that was not there.
 * Watches the folders and not the files: a ConfigMap's file is a symbolic link, and what changes is
 * where a folder above it points to.
 */
export function watchFiles(read: ReadonlyMap<string, string>, onChange: () => void): FileWatch {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;

  function onEvent(): void {
    clearTimeout(timer);
    timer = setTimeout(look, SETTLE_MS);
  }

  function watchFolders(): void {
    const folders = new Set(Array.from(read.keys(), (path) => dirname(resolve(path))));
    for (const [folder, watcher] of watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      watchers.delete(folder);
    }
    for (const folder of folders) {
      const watcher = watchers.has(folder) ? undefined : watchFolder(folder, onEvent);
      if (watcher) watchers.set(folder, watcher);
    }
  }

  function look(): void {
    watchFolders();
    if (Array.from(read).some(([path, text]) => contentsOf(path) !== text)) onChange();
  }

  // What has changed since it was read counts as well.
  look();
  return {
    look,
    close() {
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}

function watchFolder(folder: string, onEvent: () => void): FSWatcher | undefined {
  try {
    // A folder that goes away is one that changes no more.
    return watch(folder, onEvent).on('error', onEvent);
  } catch {
    return undefined; // not there, so nothing in it will change
  }
}

/** A file that cannot be read is as good as none. */
function contentsOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
