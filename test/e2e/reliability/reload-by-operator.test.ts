/** A reload in the hands of the operator: what it answers, and what becomes of requests that go on or wait. */

import { describe, expect, it } from '@jest/globals';
import { openReaders } from '../../support/firehose.ts';
import {
  ollamaDone,
  ollamaToken,
  saying,
  type ScriptedBackend,
  type ScriptedCall,
} from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';

const setup = createSetup();
const ADMIN_KEY = 'the-operator-has-a-key-of-32-characters';
const BROKEN = 'backends: [{ name: a, kind: olama, url: "http://a" }]';

const fileOf = ({ url }: ScriptedBackend, more = ''): string =>
  `${more}\nbackends: [{ name: b, kind: ollama, url: "${url}" }]`;

describe('POST /admin/reload', () => {
  it('tells what is wrong with a configuration, and the one before stays', async () => {
    const backend = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({ file: fileOf(backend), env: { ADMIN_KEY } });
    gateway.rewrite(BROKEN);
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const response = await fetch(`${gateway.url}/admin/reload`, { method: 'POST', headers });
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({
      status: 'refused',
      faults: [{ message: expect.stringContaining('backends[0].kind') }],
    });
    const said = gateway.logs.filter(({ message }) => message.startsWith('configuration'));
    expect(said).toMatchObject([
      {
        level: 'error',
        fields: { faults: [{ where: 'gateway.yaml:1:29', message: expect.stringContaining('kind') }] },
      },
    ]);
    expect(said[0]?.fields).not.toHaveProperty('error');
    expect((await gateway.chat()).status).toBe(200);
  });

  it('names what holds after a restart only', async () => {
    const backend = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({ file: fileOf(backend) });
    gateway.rewrite(
      fileOf(
        backend,
        'server: { maxConnections: 7 }\nlog: { level: warn }\ntracing: { resource: { team: a } }',
      ),
    );
    expect(await gateway.reload()).toMatchObject({
      isApplied: true,
      needRestart: ['server.maxConnections', 'log.level', 'tracing.resource'],
    });
    // As long as that is so, and no longer.
    gateway.rewrite(fileOf(backend, 'server: { maxConnections: 7 }'));
    expect(await gateway.reload()).toMatchObject({ needRestart: ['server.maxConnections'] });
    gateway.rewrite(fileOf(backend));
    expect(await gateway.reload()).toMatchObject({ needRestart: [] });
  });

  it('is for the operator only', async () => {
    const backend = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({ file: fileOf(backend), env: { ADMIN_KEY } });
    const response = await fetch(`${gateway.url}/admin/reload`, { method: 'POST' });
    expect(response.status).toBe(401);
    const without = await setup.gateway({ file: fileOf(backend) });
    expect((await fetch(`${without.url}/admin/reload`, { method: 'POST' })).status).toBe(404);
  });
});

describe('a request', () => {
  it('that waits for a backend which is taken away is told so, and one that is served there goes on', async () => {
    const calls: ScriptedCall[] = [];
    const first = await setup.backend((call) => void calls.push(call));
    const second = await setup.backend(saying('second'));
    const gateway = await setup.gateway({ file: fileOf(first, 'limits: { maxConcurrency: 1 }') });
    const answers = [gateway.chat(), gateway.chat()];
    await eventually(() => gateway.active() === 2 && calls.length === 1);
    gateway.rewrite(`backends: [{ name: other, kind: ollama, url: "${second.url}" }]`);
    expect(await gateway.reload()).toMatchObject({ isApplied: true });
    expect((await Promise.race(answers)).status).toBe(503);
    for (const call of calls) await saying('first')(call);
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 503]);
    expect(await (await gateway.chat()).text()).toContain('second');
  });

  it('lives by the limits with which it began', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend((call) => void calls.push(call));
    const file = fileOf(backend, 'limits: { timeouts: { firstTokenMs: 1000 } }');
    const gateway = await setup.gateway({ file, isClockStopped: true });
    const before = gateway.chat();
    await eventually(() => calls.length === 1);
    gateway.rewrite(file.replace('1000', '5000'));
    await gateway.reload();
    const after = gateway.chat();
    await eventually(() => calls.length === 2);
    gateway.advance(1000);
    expect((await before).status).toBe(504);
    expect(gateway.active()).toBe(1);
    gateway.advance(4000);
    expect((await after).status).toBe(504);
  });
});

it('a limit on stalled readers holds for those who come after the reload', async () => {
  const MB = 1024 * 1024;
  const backend = await setup.backend(({ end }) => end(ollamaToken('y'.repeat(14 * MB)) + ollamaDone()));
  const gateway = await setup.gateway({ file: fileOf(backend, 'server: { stalledReaderMs: 0 }') });
  gateway.rewrite(fileOf(backend, 'server: { stalledReaderMs: 300 }'));
  expect(await gateway.reload()).toMatchObject({ isApplied: true, needRestart: [] });
  const [reader] = openReaders(gateway.port, 1, { stream: false });
  // All of it was written, and only the reading is left.
  await eventually(() => gateway.logs.some(({ message }) => message === 'request'));
  reader?.resume();
  await eventually(() => reader?.closed === true);
  expect(reader?.bytesRead).toBeLessThan(14 * MB);
});
