/** A file that several writers change. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from '@jest/globals';
import { editFile } from '../../src/node/edit-file.ts';

let path: string;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'edit-')), 'file.json');
});

it('is begun where there is none, and changed where there is one', async () => {
  await editFile(path, (text) => `${String(text)}1`);
  await editFile(path, (text) => `${String(text)}2`);
  expect(readFileSync(path, 'utf8')).toBe('undefined12');
});

it('stays as it is when the change fails, and nothing is left beside it', async () => {
  await editFile(path, () => 'before');
  const failing = editFile(path, () => {
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(readFileSync(path, 'utf8')).toBe('before');
  expect(readdirSync(join(path, '..'))).toEqual(['file.json']);
});

it('is changed as soon as the other writer is done', async () => {
  writeFileSync(`${path}.lock`, 'another');
  const edit = editFile(path, () => 'mine');
  expect(existsSync(path)).toBe(false);
  rmSync(`${path}.lock`);
  await edit;
  expect(readFileSync(path, 'utf8')).toBe('mine');
});

it('is left alone while another writer holds it, and its lock too', async () => {
  writeFileSync(`${path}.lock`, 'another');
  await expect(editFile(path, () => 'mine', 0)).rejects.toThrow(/file\.json\.lock.*delete it/);
  expect(readdirSync(join(path, '..'))).toEqual(['file.json.lock']);
});

it('can be changed after a writer was killed in the middle of its work', async () => {
  await editFile(path, () => 'before');
  writeFileSync(`${path}.tmp`, 'half of');
  await editFile(path, () => 'after');
  expect(readFileSync(path, 'utf8')).toBe('after');
  expect(readdirSync(join(path, '..'))).toEqual(['file.json']);
});
