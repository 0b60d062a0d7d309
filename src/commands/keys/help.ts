/** What to type. */

import type { Subcommand } from './options.ts';

const COMMON = `
  --file PATH            the key file; unless given, the configured one (KEY_FILE, auth.keyFile),
                         else keys.json
  --json                 prints JSON
`;

export const HELP = `Usage: node-ai-gateway keys COMMAND [options]

  create --name NAME     makes a key and prints it, this once
  list                   shows the keys of the file, but not the keys themselves
  revoke NAME            refuses a key from now on
  rotate NAME            makes a new key in the place of one, with its name, id and limits

The key file holds hashes only. A gateway that runs with it (KEY_FILE=keys.json) knows of a change
at once. More on each: node-ai-gateway keys COMMAND --help
`;

export const HELP_OF: Readonly<Record<Subcommand, string>> = {
  create: `Usage: node-ai-gateway keys create --name NAME [options]

Makes a key and prints it on standard output, this once: the file keeps its hash only.

  --name NAME            whose key it is: in logs, metrics and usage
  --models LIST          models that it is for, as names or patterns: 'llama3.2,qwen*'; unless given, all
  --rpm N                requests a minute
  --tpm N                tokens a minute
  --concurrency N        exchanges at the same time
  --tokens-per-day N     tokens of a day in UTC
  --tokens-per-month N   tokens of a month in UTC
                         a limit that is not given is that of auth.limits; 0 is none
  --priority N           -100 to 100: higher goes first where requests wait
  --expires WHEN         a date (its beginning in UTC), a time, or how long from now: 30d
  --admin                it opens the operator's endpoints too
  --meta KEY=VALUE       a note; may be repeated
${COMMON}`,
  list: `Usage: node-ai-gateway keys list [options]
${COMMON}`,
  revoke: `Usage: node-ai-gateway keys revoke NAME [options]

NAME is the name of a key or its id. The key is refused from now on; requests that go on may end.
${COMMON}`,
  rotate: `Usage: node-ai-gateway keys rotate NAME [options]

NAME is the name of a key or its id. Prints the new key on standard output, this once.

  --grace TIME           how long the old key may still be used: 1h; unless given, no more
  --expires WHEN         when the new key expires; unless given, when the old one would have
${COMMON}`,
};
