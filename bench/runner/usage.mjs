// What a process and its descendants have used, as the kernel counts it.

import { readdirSync, readFileSync } from 'node:fs';
import { TICKS_PER_SECOND } from './machine.mjs';

/** Fields of /proc/<pid>/stat behind the name, counted from the state (proc(5)). */
const PARENT = 1;
const USER_TIME = 11;
const SYSTEM_TIME = 12;

/** Seconds of user and system time. */
export function cpuSecondsOf(pid) {
  const ticks = treeOf(pid).map((each) => {
    const fields = statOf(each) ?? [];
    return Number(fields[USER_TIME] ?? 0) + Number(fields[SYSTEM_TIME] ?? 0);
  });
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS_PER_SECOND;
}

/** KB of memory in RAM. */
export function rssOf(pid) {
  return treeOf(pid)
    .map((each) => Number(/^Rss:\s+(\d+)/m.exec(read(`/proc/${each}/smaps_rollup`))?.[1] ?? 0))
    .reduce((sum, each) => sum + each, 0);
}

/** A process and its descendants. */
function treeOf(pid) {
  const children = new Map();
  for (const entry of readdirSync('/proc')) {
    const parent = /^\d+$/.test(entry) ? Number(statOf(entry)?.[PARENT]) : NaN;
    if (!Number.isNaN(parent)) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const tree = [pid];
  for (const each of tree) tree.push(...(children.get(each) ?? []));
  return tree;
}

/** undefined when the process has ended. The name may hold spaces and parentheses, so it is cut off. */
function statOf(pid) {
  const text = read(`/proc/${pid}/stat`);
  return text === '' ? undefined : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function read(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it has ended, or may not be read
  }
}
