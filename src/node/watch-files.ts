/** Tells when one of several files has other contents than before, however it came by them. */

import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Editors and Kubernetes change a file in several steps; the last one counts. */
const SETTLE_MS = 100;

/**
 * Watches the folders and not the files: a ConfigMap's file is a symbolic link, and what changes is
 * where a folder above it points to. Returns a function that ends the watch.
 */
export function watchFiles(paths: readonly string[], onChange: () => void): () => void {
  let before = contentsOf(paths);
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    const contents = contentsOf(paths);
    if (contents === before) return;
    before = contents;
    onChange();
  }

  function onEvent(): void {
    clearTimeout(timer);
    timer = setTimeout(look, SETTLE_MS);
  }

  const folders = new Set(paths.map((path) => dirname(resolve(path))));
  const watchers = [...folders].flatMap((folder) => watchFolder(folder, onEvent));
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}

function watchFolder(folder: string, onEvent: () => void): FSWatcher[] {
  try {
    // A folder that goes away is one that changes no more.
    return [watch(folder, onEvent).on('error', onEvent)];
  } catch {
    return []; // not there, so nothing in it will change
  }
}

/** What is in the files, as one text to compare; a file that cannot be read is as good as none. */
function contentsOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      try {
        return readFileSync(path, 'utf8');
      } catch {
        return '';
      }
    })
    .join('\0');
}
