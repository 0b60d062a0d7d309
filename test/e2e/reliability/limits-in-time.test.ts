/** Limits on silence by a real clock: how late the error of a backend that hangs may be. */

import { describe, expect, it } from '@jest/globals';
import { expectWithin } from '../../support/figures.ts';
import { sleep } from '../../support/load.ts';
import type { Script } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';
import { SPEECHES, type Speech } from '../../support/speech.ts';

const setup = createSetup();
const FIRST_TOKEN_MS = 600;
const IDLE_MS = 300;
const LATE_BY_MS = 1200;

/** Bytes of a record that does not end. */
function dripping({ token }: Speech): Script {
  return async ({ write, res }) => {
    for (const byte of token('never'.repeat(100))) {
      if (res.destroyed) return;
      await write(byte);
      await sleep(20);
    }
  };
}

const HANGS: readonly (readonly [string, number, string, (speech: Speech) => Script])[] = [
  ['says nothing', FIRST_TOKEN_MS, 'upstream_first_token_timeout', () => () => undefined],
  ['drips', FIRST_TOKEN_MS, 'upstream_first_token_timeout', dripping],
  [
    'stalls in the middle',
    IDLE_MS,
    'upstream_idle_timeout',
    ({ token }) =>
      ({ write }) =>
        write(token('one')),
  ],
];

describe.each(SPEECHES)('%s', (_, speech) => {
  it.each(HANGS)('that %s is an error soon after its limit', async (hang, limitMs, code, script) => {
    const backend = await setup.backend(script(speech));
    const gateway = await setup.gateway({
      env: {
        [speech.variable]: backend.url,
        FIRST_TOKEN_TIMEOUT_MS: String(FIRST_TOKEN_MS),
        IDLE_TIMEOUT_MS: String(IDLE_MS),
      },
    });
    const startedMs = performance.now();
    const text = await (await gateway.chat({ stream: true })).text();
    const ms = performance.now() - startedMs;
    expect(text).toContain(`"code":"${code}"`);
    expect(ms).toBeGreaterThan(limitMs - 1);
    expectWithin(`${speech.kind} ${hang}: told after`, ms, limitMs + LATE_BY_MS);
  });
});
