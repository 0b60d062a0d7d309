/** Backends close connections that the gateway keeps, at the worst moment: it costs no request. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { TLS_CERTIFICATE } from '../../support/certificate.ts';
import { buildProgram } from '../../support/program.ts';
import { createPrograms } from '../../support/programs.ts';
import { saying, type Script } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';

const setup = createSetup();
const start = createPrograms();
const REQUESTS = 250;

/** Every connection carries one request; the second one finds it dying. */
function dyingWhenUsedAgain(die: (call: Parameters<Script>[0]) => void): Script {
  const used = new WeakSet<Socket>();
  return (call) => {
    if (used.has(call.socket)) {
      die(call);
      return;
    }
    used.add(call.socket);
    return saying('fine')(call);
  };
}

const WAYS = [
  ['resets', dyingWhenUsedAgain(({ reset }) => reset())],
  ['closes', dyingWhenUsedAgain(({ socket }) => void socket.end())],
] as const;

describe.each(WAYS)('a backend that %s kept connections', (_, script) => {
  it('over http:// costs no request', async () => {
    const backend = await setup.backend(script);
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    for (let i = 0; i < REQUESTS; i++) {
      const response = await gateway.chat({ stream: i % 2 === 0 });
      expect([response.status, (await response.text()).includes('fine')]).toEqual([200, true]);
    }
    expect(backend.calls.length).toBeGreaterThan(REQUESTS * 1.4);
    expect(await gateway.metric('ai_gateway_retries_total', { result: 'made' })).toBe(0);
  });
});

describe('over https://', () => {
  beforeAll(buildProgram, 60_000);

  it.each(WAYS)('a backend that %s kept connections costs no request', async (_, script) => {
    const backend = await setup.backend(script, { isEncrypted: true });
    const certificate = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'ca.pem');
    writeFileSync(certificate, TLS_CERTIFICATE);
    const { chat } = await start({ VLLM_BASE_URL: backend.url, NODE_EXTRA_CA_CERTS: certificate });
    for (let i = 0; i < REQUESTS; i++) {
      const response = await chat({ stream: i % 2 === 0 });
      expect([response.status, (await response.text()).includes('fine')]).toEqual([200, true]);
    }
    expect(backend.calls.length).toBeGreaterThan(REQUESTS * 1.4);
  });
});
