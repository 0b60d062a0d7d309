/** The ledger's files: on a real disk, by several writers, after a crash, over days. */

import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { UsageStore } from '../../../src/core/usage.ts';
import { printRow } from '../../../src/core/usage-rows.ts';
import { createUsageFiles } from '../../../src/node/usage/index.ts';
import { requestsOf, rowOf } from '../../support/usage.ts';

const MIDDAY = Date.parse('2026-08-21T12:00:00Z');
const DAY_MS = 86_400_000;
const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'usage-'));
  folders.push(folder);
  return folder;
}

interface Desk {
  readonly store: UsageStore;
  readonly warnings: string[];
  at(wallMs: number): void;
}

function openStore(folder: string, { maxFileBytes = 1e6, keepDays = 30 } = {}): Desk {
  let wallMs = MIDDAY;
  const warnings: string[] = [];
  const ignore = (): undefined => undefined;
  const logger = { debug: ignore, info: ignore, error: ignore, warn: (text: string) => warnings.push(text) };
  return {
    store: createUsageFiles({
      folder,
      settings: () => ({ maxFileBytes, keepDays }),
      wallClock: () => wallMs,
      logger,
    }),
    warnings,
    at(next) {
      wallMs = next;
    },
  };
}

const total = async (store: UsageStore, fromDay?: string): Promise<number> =>
  requestsOf(await store.read(fromDay));

describe('rows that were written', () => {
  it('are read by the next program, added up', async () => {
    const folder = join(await newFolder(), 'of', 'its', 'own');
    const { store } = openStore(folder);
    await store.append([rowOf(), rowOf({ errors: { client_closed: 1 } })]);
    await store.append([rowOf({ model: 'other' })]);
    const rows = await openStore(folder).store.read(undefined);
    expect(rows).toEqual([
      rowOf({ requests: 2, inputTokens: 10, outputTokens: 6, errors: { client_closed: 1 } }),
      rowOf({ model: 'other' }),
    ]);
  });

  it('are found by one who has looked before, whoever has written them', async () => {
    const folder = await newFolder();
    const [one, two] = [openStore(folder).store, openStore(folder).store];
    await one.append([rowOf()]);
    expect(await total(two)).toBe(1);
    await two.append([rowOf()]);
    await one.append([rowOf()]);
    expect(await total(two)).toBe(3);
    expect(await total(one)).toBe(3);
  });

  it('are all there when many write at the same time, and in one file', async () => {
    const folder = await newFolder();
    const writers = Array.from({ length: 8 }, () => openStore(folder).store);
    const many = Array.from({ length: 50 }, (_, i) => rowOf({ model: `m${String(i)}` }));
    await Promise.all(writers.flatMap((store) => [store.append(many), store.append(many)]));
    expect(await total(openStore(folder).store)).toBe(8 * 2 * 50);
    expect(await readdir(folder)).toEqual(['usage-2026-08-21.0.jsonl']);
  });

  it('survive a line that was torn off, and what is added after it', async () => {
    const folder = await newFolder();
    await openStore(folder).store.append([rowOf()]);
    const path = join(folder, 'usage-2026-08-21.0.jsonl');
    await appendFile(path, printRow(rowOf()).slice(0, 40));
    const { store } = openStore(folder);
    expect(await total(store)).toBe(1);
    await store.append([rowOf()]);
    expect(await total(store)).toBe(2);
    expect(await total(openStore(folder).store)).toBe(2);
  });

  it('survive what is no row at all', async () => {
    const folder = await newFolder();
    const rubbish = [
      '',
      '[]',
      'null',
      '{"day":"x"}',
      JSON.stringify(rowOf({ requests: -1 })),
      '\0'.repeat(300_000),
    ];
    const odd = '{"__proto__":{"requests":9},"day":"2026-08-21"}';
    const good = JSON.stringify({ ...rowOf(), errors: { client_closed: 1, ['__proto__']: 'x' } });
    await writeFile(join(folder, 'usage-2026-08-21.0.jsonl'), [...rubbish, odd, good, ''].join('\n'));
    await writeFile(join(folder, 'notes.txt'), 'somebody else has this');
    expect(await openStore(folder).store.read(undefined)).toEqual([rowOf({ errors: { client_closed: 1 } })]);
  });

  it('begin a new file when one is full', async () => {
    const folder = await newFolder();
    const { store } = openStore(folder, { maxFileBytes: 300 });
    for (let i = 0; i < 5; i++) await store.append([rowOf()]);
    expect(await readdir(folder)).toEqual([0, 1, 2].map((part) => `usage-2026-08-21.${String(part)}.jsonl`));
    expect(await total(store)).toBe(5);
    // A program that starts goes on with the last one.
    await openStore(folder, { maxFileBytes: 300 }).store.append([rowOf()]);
    expect(await readdir(folder)).toHaveLength(3);
    expect(await total(store)).toBe(6);
  });
});

describe('a day that is over', () => {
  it('becomes one file of sums, also when several do it at the same time', async () => {
    const folder = await newFolder();
    const desks = Array.from({ length: 4 }, () => openStore(folder, { maxFileBytes: 300 }));
    for (let i = 0; i < 6; i++) await desks[0]?.store.append([rowOf({ requests: i })]);
    for (const { at } of desks) at(MIDDAY + DAY_MS);
    const reads = desks.map(({ store }) => total(store));
    await Promise.all(desks.map(({ store }) => store.append([])));
    expect(await Promise.all(reads)).toEqual([15, 15, 15, 15]);
    expect(await readdir(folder)).toEqual(['usage-2026-08-21.jsonl']);
    expect(await readFile(join(folder, 'usage-2026-08-21.jsonl'), 'utf8')).toBe(
      `${printRow(rowOf({ requests: 15, inputTokens: 30, outputTokens: 18 }))}\n`,
    );
    expect(await Promise.all(desks.map(({ store }) => total(store)))).toEqual([15, 15, 15, 15]);
  });

  it('loses nothing, however those who sum it and those who read it get in each other’s way', async () => {
    for (let round = 0; round < 5; round++) {
      const folder = await newFolder();
      const names = Array.from({ length: 12 }, (_, part) => `usage-2026-08-20.${String(part)}.jsonl`);
      for (const name of names) await writeFile(join(folder, name), `${printRow(rowOf())}\n`);
      const stores = Array.from({ length: 12 }, () => openStore(folder).store);
      const sums = stores.map(async (store, i) => {
        // Each begins a little later than the one before.
        for (let turn = 0; turn < i * 6; turn++) await new Promise(setImmediate);
        const before = await total(store);
        await store.append([]);
        return [before, await total(store)];
      });
      const seen = new Set<number>();
      let isOver = false;
      const readers = stores.map(async () => {
        // New ones, who have read nothing before.
        while (!isOver) seen.add(await total(openStore(folder).store));
      });
      for (const sum of await Promise.all(sums)) for (const requests of sum) seen.add(requests);
      isOver = true;
      await Promise.all(readers);
      expect([...seen]).toEqual([12]);
      expect(await readdir(folder)).toEqual(['usage-2026-08-20.jsonl']);
    }
  });

  it('is left alone for an hour, for those who write at midnight', async () => {
    const folder = await newFolder();
    const { store, at } = openStore(folder);
    await store.append([rowOf()]);
    at(Date.parse('2026-08-22T00:59:00Z'));
    await openStoreAt(folder, '2026-08-22T00:59:00Z').append([]);
    await store.append([]);
    expect(await readdir(folder)).toEqual(['usage-2026-08-21.0.jsonl']);
    at(Date.parse('2026-08-22T01:00:00Z'));
    await store.append([]);
    expect(await readdir(folder)).toEqual(['usage-2026-08-21.jsonl']);
  });

  it('is not counted twice when the machine went down between sum and removal', async () => {
    const folder = await newFolder();
    const line = `${printRow(rowOf())}\n`;
    await writeFile(join(folder, 'usage-2026-08-20.jsonl'), line);
    await writeFile(join(folder, 'usage-2026-08-20.0.jsonl'), line);
    const { store } = openStore(folder);
    expect(await total(store)).toBe(1);
    await store.append([]);
    expect(await readdir(folder)).toEqual(['usage-2026-08-20.jsonl']);
    expect(await total(store)).toBe(1);
  });

  it('is removed when it is too old', async () => {
    const folder = await newFolder();
    const { store, at } = openStore(folder, { keepDays: 2 });
    await store.append([rowOf()]);
    at(MIDDAY + 2 * DAY_MS);
    await store.append([rowOf({ day: '2026-08-23' })]);
    expect(await total(store)).toBe(2);
    expect(await total(store, '2026-08-22')).toBe(1);
    at(MIDDAY + 3 * DAY_MS);
    await store.append([]);
    expect(await total(store)).toBe(1);
  });
});

function openStoreAt(folder: string, time: string): UsageStore {
  const { store, at } = openStore(folder);
  at(Date.parse(time));
  return store;
}

describe('a folder that cannot be used', () => {
  it('is told of once, gives the rows back, and is used as soon as it can be', async () => {
    const parent = await newFolder();
    const folder = join(parent, 'usage');
    // A file in the folder's place: also root cannot write there.
    await writeFile(folder, '');
    const { store, warnings } = openStore(folder);
    expect(await store.append([])).toEqual([]);
    for (let i = 0; i < 3; i++) expect(await store.append([rowOf()])).toEqual([rowOf()]);
    expect(await store.read(undefined)).toEqual([]);
    expect(warnings).toEqual(['usage cannot be kept: counts stay in memory']);
    await rm(folder);
    expect(await store.append([rowOf()])).toEqual([]);
    expect(await total(store)).toBe(1);
  });

  it('may be missing when it is read', async () => {
    const { store, warnings } = openStore(join(await newFolder(), 'nowhere'));
    expect(await store.read(undefined)).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('may be removed while it is in use', async () => {
    const folder = join(await newFolder(), 'usage');
    const { store } = openStore(folder);
    await store.append([rowOf()]);
    await rm(folder, { recursive: true });
    const left = await store.append([rowOf()]);
    await store.append(left);
    expect(await total(store)).toBe(1);
  });
});
