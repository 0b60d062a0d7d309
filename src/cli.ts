#!/usr/bin/env node
/** Entry: a command, or the server. Each is loaded only when it is asked for. */

import { randomBytes } from 'node:crypto';
import { configDotenv } from 'dotenv';
import { EXIT } from './commands/exit-codes.ts';

const USAGE = `Usage: node-ai-gateway               starts the gateway
       node-ai-gateway keys --help   works on the keys of clients
`;

configDotenv({ quiet: true });
const [command, ...args] = process.argv.slice(2);
if (command === undefined) await import('./main.ts');
else if (command === 'keys') await keys();
else if (command === '--help' || command === '-h') process.stdout.write(USAGE);
else {
  process.stderr.write(`There is no command '${command}'.\n\n${USAGE}`);
  process.exitCode = EXIT.usage;
}

async function keys(): Promise<void> {
  const { runKeys } = await import('./commands/keys/index.ts');
  process.exitCode = await runKeys(args, {
    env: process.env,
    print: (text) => void process.stdout.write(text),
    say: (text) => void process.stderr.write(text),
    nowMs: Date.now(),
    random: randomBytes,
  });
}
