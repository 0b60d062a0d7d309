/** `node-ai-gateway keys …`: makes, shows, revokes and replaces the keys of the key file. */

import { existsSync, readFileSync } from 'node:fs';
import { CONFIG_EXIT_CODE, ConfigError } from '../../config/fault.ts';
import { loadKeySettings, type KeySettings } from '../../config/key-settings.ts';
import { printKey } from '../../core/api-key.ts';
import { hashKey } from '../../node/hash-key.ts';
import { addKey, revokeKey, rotateKey, timeOf } from './edits.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandFailure, misused } from './failure.ts';
import { HELP, HELP_OF } from './help.ts';
import { changeKey, changeKeys, readKeys } from './key-file.ts';
import {
  isSubcommand,
  readDuration,
  readExpiry,
  readLine,
  readTerms,
  type Line,
  type Subcommand,
} from './options.ts';
import { describeKey, toPublic, toTable } from './print.ts';

export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard output: what was asked for, and nothing else. */
  print(text: string): void;
  /** Standard error: what is said about it. */
  say(text: string): void;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  random(bytes: number): Uint8Array;
}

/** What a subcommand works with. */
interface Work extends Line {
  readonly terminal: Terminal;
  readonly settings: KeySettings;
  readonly file: string;
}

const DEFAULT_FILE = 'keys.json';
const KEY_BYTES = 32;
const ID_BYTES = 6;

/** Never rejects; gives the exit code. */
export async function runKeys(args: readonly string[], terminal: Terminal): Promise<number> {
  const [command, ...rest] = args;
  try {
    if (command === '--help' || command === '-h' || command === 'help') {
      terminal.print(HELP);
      return EXIT.done;
    }
    if (!isSubcommand(command)) {
      const complaint = command === undefined ? '' : `keys: there is no command '${command}'.\n\n`;
      terminal.say(`${complaint}${HELP}`);
      return EXIT.usage;
    }
    await run(command, rest, terminal);
    return EXIT.done;
  } catch (error) {
    return fail(error, isSubcommand(command) ? command : undefined, terminal);
  }
}

async function run(command: Subcommand, args: readonly string[], terminal: Terminal): Promise<void> {
  const line = readLine(command, args);
  if (line.options.help === true) {
    terminal.print(HELP_OF[command]);
    return;
  }
  const expected = command === 'revoke' || command === 'rotate' ? 1 : 0;
  if (line.words.length !== expected) {
    throw misused(expected === 1 ? 'expected one NAME.' : `not understood: ${line.words.join(' ')}`);
  }
  const settings = loadKeySettings({
    env: terminal.env,
    readFile: (path) => readFileSync(path, 'utf8'),
    exists: existsSync,
  });
  const file = line.options.file ?? settings.keyFile ?? DEFAULT_FILE;
  await COMMANDS[command]({ ...line, terminal, settings, file });
}

const COMMANDS: Readonly<Record<Subcommand, (work: Work) => Promise<void>>> = {
  create,
  list,
  revoke,
  rotate,
};

async function create({ options, terminal, settings, file }: Work): Promise<void> {
  const { nowMs } = terminal;
  const terms = readTerms(options, nowMs);
  const plain = printKey(terminal.random(KEY_BYTES));
  const id = `key_${Buffer.from(terminal.random(ID_BYTES)).toString('hex')}`;
  const { name, ...rest } = terms;
  const key = { id, name, hash: hashKey(plain, settings.hashSecret), created: timeOf(nowMs), ...rest };
  await changeKeys(file, (keys) => addKey(keys, key, settings.isTaken));
  if (options.json === true) {
    printJson(terminal, { ...toPublic(key, nowMs), key: plain, file });
    return;
  }
  terminal.print(`${plain}\n`);
  terminal.say(`\nThis is the key of '${name}' (${id}). It is not shown again.\n${describeKey(key)}\n`);
  terminal.say(`\n${describeUse(file, settings.keyFile)}\n`);
}

async function list({ options, terminal, file }: Work): Promise<void> {
  const keys = readKeys(file);
  if (options.json === true) {
    printJson(
      terminal,
      keys.map((key) => toPublic(key, terminal.nowMs)),
    );
  } else if (keys.length === 0) {
    terminal.say(`There are no keys in '${file}'.\n`);
  } else {
    terminal.print(`${toTable(keys, terminal.nowMs)}\n`);
  }
  return Promise.resolve();
}

async function revoke({ words: [called = ''], options, terminal, file }: Work): Promise<void> {
  const { nowMs } = terminal;
  const key = await changeKey(file, called, (before) => revokeKey(before, nowMs));
  if (options.json === true) printJson(terminal, toPublic(key, nowMs));
  else terminal.say(`The key of '${key.name}' (${key.id}) is revoked since ${key.revoked ?? ''}.\n`);
}

async function rotate({ words: [called = ''], options, terminal, settings, file }: Work): Promise<void> {
  const { nowMs } = terminal;
  const graceMs = options.grace === undefined ? 0 : readDuration('--grace', options.grace);
  const expires = options.expires === undefined ? undefined : readExpiry(options.expires, nowMs);
  const plain = printKey(terminal.random(KEY_BYTES));
  const hash = hashKey(plain, settings.hashSecret);
  const key = await changeKey(file, called, (before) => rotateKey(before, { hash, nowMs, graceMs, expires }));
  if (options.json === true) {
    printJson(terminal, { ...toPublic(key, nowMs), key: plain, file });
    return;
  }
  const old = graceMs === 0 ? 'no more' : `until ${timeOf(nowMs + graceMs)}`;
  terminal.print(`${plain}\n`);
  terminal.say(`\nThis is the new key of '${key.name}' (${key.id}). It is not shown again.\n`);
  terminal.say(`The old one is good ${old}.\n${describeKey(key)}\n`);
}

function describeUse(file: string, configured: string | undefined): string {
  return file === configured
    ? 'A gateway that runs with this file knows it by now.'
    : `To use it, start the gateway with KEY_FILE=${file}. A gateway that has it knows the key by now.`;
}

function printJson(terminal: Terminal, value: unknown): void {
  terminal.print(`${JSON.stringify(value, null, 2)}\n`);
}

function fail(error: unknown, command: Subcommand | undefined, terminal: Terminal): number {
  if (error instanceof ConfigError) {
    terminal.say(`${error.message}\n`);
    return CONFIG_EXIT_CODE;
  }
  const message = error instanceof Error ? error.message : String(error);
  terminal.say(`keys ${command ?? ''}: ${message}\n`);
  const exitCode = error instanceof CommandFailure ? error.exitCode : EXIT.refused;
  if (exitCode === EXIT.usage && command) terminal.say(`\n${HELP_OF[command]}`);
  return exitCode;
}
