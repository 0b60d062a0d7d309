/** A gateway that was closed leaves nothing behind. */

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { sleep } from '../../support/load.ts';
import { createSetup, eventually } from '../../support/setup.ts';

const setup = createSetup();
const INTERVAL_MS = 100;

it('probes nobody any more, also when a probe was under way', async () => {
  const held: ServerResponse[] = [];
  let isHolding = false;
  let probes = 0;
  const server = createServer((req, res) => {
    if (req.url === '/v1/models') probes++;
    if (isHolding) held.push(res);
    else res.end('{"data":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const gateway = await setup.gateway({
    env: { OPENAI_BASE_URL: `http://127.0.0.1:${String(port)}`, PROBE_INTERVAL_MS: String(INTERVAL_MS) },
  });
  isHolding = true;
  await eventually(() => held.length > 0);
  const before = probes;
  await gateway.close();
  for (const res of held) res.end('{"data":[]}');
  await sleep(3 * INTERVAL_MS);
  expect(probes).toBe(before);
  server.close();
  server.closeAllConnections();
});
