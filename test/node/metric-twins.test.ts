/** docs/tracing.md names for each metric what OpenTelemetry calls it. */

import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { saying } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';

const setup = createSetup();

it('every metric has its row, and no other has one', async () => {
  const backend = await setup.backend(saying('x'));
  // Where nobody listens; one metric is there with Redis only.
  const env = { OLLAMA_BASE_URL: backend.url, REDIS_URL: 'redis://127.0.0.1:1' };
  const gateway = await setup.gateway({ env });
  const page = await (await fetch(`${gateway.url}/metrics`)).text();
  const table = readFileSync(new URL('../../docs/tracing.md', import.meta.url), 'utf8');
  const named = (text: string, line: RegExp): string[] =>
    Array.from(text.matchAll(line), ([, name = '']) => name).sort();
  expect(named(table, /^\| `((?:ai|http)_\w+)` \| (?:[^|]*`[\w.]+`[^|]*|–) \|/gm)).toEqual(
    named(page, /^# TYPE ((?:ai|http)_\w+) /gm),
  );
});
