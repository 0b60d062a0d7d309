/** The image as it is built from the Dockerfile, run as a restricted container. Only `npm run test:release` comes here. */

import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findEngine, type Container } from '../support/container.ts';
import { ollamaDone, ollamaToken, saying, type ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { openStream, parseStream } from '../support/sse.ts';

const KEY = 'a-key-of-at-least-thirty-two-characters';
const { isUsable, build, config, start, run, close } = findEngine();
const describeImage = isUsable ? describe : describe.skip;
const setup = createSetup();

/** A port that was free just now. */
async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

describeImage('the image', () => {
  beforeAll(build, 600_000);
  afterAll(close, 120_000);

  function chat(port: string, body: object = {}, key = KEY): Promise<Response> {
    return fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body }),
    });
  }

  async function startAt(port: string, url: string): Promise<Container> {
    const container = await start({ PORT: port, AUTH_KEY: KEY, OLLAMA_BASE_URL: url });
    await container.until('"listening"');
    return container;
  }

  it('says what it is, and how it is to be run', async () => {
    const { Labels, User, Cmd, Entrypoint, ExposedPorts, Env } = await config();
    expect([User, Cmd, Entrypoint ?? []]).toEqual(['65532:65532', ['node', 'dist/main.js'], []]);
    expect(Object.keys(ExposedPorts)).toEqual(['3000/tcp']);
    expect(Env).toContain('NODE_ENV=production');
    expect(Labels).toMatchObject({
      'org.opencontainers.image.title': 'node-ai-gateway',
      'org.opencontainers.image.licenses': 'MIT',
      'org.opencontainers.image.version': '0.1.0',
    });
  });

  it('holds the bundle and its papers, owned by root, and no packages, maps or native code', async () => {
    const script = `
      const { readdirSync, statSync } = require('node:fs');
      const all = ['.', ...readdirSync('.', { recursive: true })].map((name) => ({ name, ...statSync(name) }));
      console.log(JSON.stringify({
        top: readdirSync('.').sort(),
        odd: all.filter(({ name, uid, mode }) => uid !== 0 || mode & 0o022 || /\\.(map|node)$/.test(name)),
        data: statSync('/data').uid,
      }));`;
    const { stdout } = await run(['node', '-e', script]);
    expect(JSON.parse(stdout)).toEqual({
      top: ['LICENSE', 'dist', 'healthcheck.mjs', 'openapi.yaml', 'package.json', 'sbom.cdx.json'],
      odd: [],
      data: 65532,
    });
  });

  it('answers, is healthy, and is neither root nor able to write', async () => {
    const backend = await setup.backend(saying('Hello', ' there'));
    const port = await freePort();
    const container = await startAt(port, backend.url);

    expect(await (await chat(port)).json()).toMatchObject({
      choices: [{ message: { content: 'Hello there' } }],
    });
    expect((await chat(port, {}, 'not-the-key')).status).toBe(401);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/openapi.yaml`)).status).toBe(200);

    const [how, ...check] = (await config()).Healthcheck.Test;
    expect(how).toBe('CMD');
    expect((await container.exec(check)).code).toBe(0);
    expect((await container.exec(check, { PORT: await freePort() })).code).toBe(1);

    const script = `
      const { readFileSync, writeFileSync } = require('node:fs');
      const fails = (path) => { try { writeFileSync(path, ''); } catch (error) { return error.code; } };
      const status = readFileSync('/proc/1/status', 'utf8');
      console.log(JSON.stringify([process.getuid(), /Name:\\s(\\w+)/.exec(status)[1], fails('/app/x'), fails('/x')]));`;
    const { stdout } = await container.exec(['node', '-e', script]);
    // On Node 24 the first thread is called MainThread.
    expect(JSON.parse(stdout)).toEqual([65532, expect.stringMatching(/node|MainThread/), 'EROFS', 'EROFS']);
    await container.stop(10);
    expect((await container.ended()).code).toBe(0);
  });

  it('lets its streams finish when it is stopped, and ends with 0', async () => {
    let call: ScriptedCall | undefined;
    const backend = await setup.backend(async (given) => {
      call = given;
      await given.write(ollamaToken('one'));
    });
    const port = await freePort();
    const container = await startAt(port, backend.url);
    const stream = openStream(await chat(port, { stream: true }));
    await stream.until('one');
    const stopped = container.stop(30);
    await container.until('"draining"');
    expect((await chat(port)).status).toBe(503);
    call?.end(ollamaToken('two') + ollamaDone());
    expect(parseStream(await stream.rest())).toMatchObject({ text: 'onetwo', isDone: true });
    await stopped;
    const { code, log } = await container.ended();
    expect(code).toBe(0);
    expect(log).toContain('"stopped"');
  });

  it('does not open itself to others without a key', async () => {
    const { url } = await setup.backend(saying('x'));
    const container = await start({ HOST: '0.0.0.0', PORT: await freePort(), OLLAMA_BASE_URL: url });
    const { code, log } = await container.ended();
    expect(code).toBe(78);
    expect(log).toMatch(/AUTH_KEY.*ALLOW_ANONYMOUS/);
  });
});
