/** docker-compose.yaml as Compose itself reads it. Only `npm run test:release` comes here. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

/** The loader of `docker compose`, as a program of its own. */
const LOADER = 'github.com/compose-spec/compose-go/v2/cmd@v2.9.0';
const describeWithGo = spawnSync('go', ['version']).status === 0 ? describe : describe.skip;

function load(file: string): { readonly code: number; readonly stdout: string; readonly stderr: string } {
  const env = { ...process.env, GOFLAGS: '-mod=mod' };
  const { status, stdout, stderr } = spawnSync('go', ['run', LOADER, '-format', 'json', file], {
    env,
    encoding: 'utf8',
    timeout: 240_000,
  });
  return { code: status ?? 1, stdout, stderr };
}

describeWithGo('docker-compose.yaml', () => {
  it('is accepted by Compose, without variables and profiles', () => {
    const { code, stdout, stderr } = load('docker-compose.yaml');
    expect([code, stderr]).toEqual([0, expect.not.stringMatching(/warn|error/i)]);
    const { services } = JSON.parse(stdout) as { services: Record<string, { ports?: unknown }> };
    expect(Object.keys(services).sort()).toContain('gateway');
    expect(services.gateway?.ports).toEqual([
      { mode: 'ingress', host_ip: '127.0.0.1', target: 3000, published: '3000', protocol: 'tcp' },
    ]);
  }, 300_000);

  it('would not be with a name that Compose does not know', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'compose-')), 'docker-compose.yaml');
    writeFileSync(
      file,
      readFileSync('docker-compose.yaml', 'utf8').replace('stop_grace_period', 'stop_grace'),
    );
    const { code, stderr } = load(file);
    expect(code).not.toBe(0);
    expect(stderr).toContain("additional properties 'stop_grace' not allowed");
  });
});
