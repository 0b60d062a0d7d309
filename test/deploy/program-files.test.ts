/** What is shipped: the bundle needs nothing beside it, nothing in it is native, and the health check tells the truth. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, existsSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import { buildProgram, programFolder } from '../support/program.ts';
import { saying } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const setup = createSetup();

describe('the bundle', () => {
  beforeAll(buildProgram, 60_000);

  it('asks for nothing but modules of Node, so that no node_modules are shipped', async () => {
    const files = readdirSync(programFolder(), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.js'),
    );
    const { metafile } = await build({
      entryPoints: files.map((name) => join(programFolder(), name)),
      outdir: 'nowhere',
      write: false,
      bundle: true,
      metafile: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      logLevel: 'silent',
    });
    const asked = new Set(
      Object.values(metafile.outputs)
        .flatMap(({ imports }) => imports)
        .filter(({ external }) => external)
        .map(({ path }) => path.replace(/^node:/, '')),
    );
    expect(asked.size).toBeGreaterThan(10);
    expect([...asked].filter((name) => !builtinModules.includes(name))).toEqual([]);
  });
});

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      { readonly dev?: boolean; readonly hasInstallScript?: boolean; readonly integrity?: string }
    >
  >;
}

describe('the packages of the program', () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
  const shipped = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);

  it('run nothing when they are installed', () => {
    expect(shipped.length).toBeGreaterThan(50);
    expect(
      shipped.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path),
    ).toEqual([]);
  });

  it('hold no native code, so that one bundle is for every platform', () => {
    const native = shipped.flatMap(([path]) => {
      const folder = join(ROOT, path);
      if (!existsSync(folder)) return [];
      return readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.node$|(^|\/)binding\.gyp$/.test(name))
        .map((name) => join(path, name));
    });
    expect(native).toEqual([]);
  });

  it('are held by their contents', () => {
    expect(shipped.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path)).toEqual([]);
  });

  it('are all in the bill of materials, which is the same each time', () => {
    interface Bill {
      readonly components: readonly { readonly name: string }[];
      readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
    }
    const write = (): Bill => {
      const file = join(ROOT, 'node_modules', '.cache', 'sbom.cdx.json');
      execFileSync(process.execPath, ['scripts/sbom.mjs', file], { cwd: ROOT });
      return JSON.parse(readFileSync(file, 'utf8')) as Bill;
    };
    const bill = write();
    expect(write()).toEqual(bill);
    const named = new Set(bill.components.map(({ name }) => name));
    const missing = shipped
      .map(([path]) => path.replace(/^.*node_modules\//, ''))
      .filter((name) => !named.has(name));
    expect(missing).toEqual([]);
    const [own] = bill.dependencies;
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const direct = Object.entries(dependencies).map(
      ([name, version]) => `pkg:npm/${name.replace('@', '%40')}@${version}`,
    );
    expect(own?.dependsOn).toEqual(direct.sort());
  });
});

describe('the health check of the image', () => {
  async function check(env: Readonly<Record<string, string>>): Promise<unknown> {
    const child = spawn(process.execPath, [join(ROOT, 'deploy', 'healthcheck.mjs')], {
      env,
      stdio: 'ignore',
    });
    const [code] = (await once(child, 'exit')) as [unknown];
    return code;
  }

  it('passes while the gateway answers at its port, whatever address it listens on', async () => {
    const { url } = await setup.backend(saying('x'));
    const { port } = await setup.gateway({ env: { OLLAMA_BASE_URL: url } });
    expect(await check({ PORT: String(port) })).toBe(0);
    expect(await check({ PORT: String(port), HOST: '0.0.0.0' })).toBe(0);
    expect(await check({ PORT: String(port), HOST: '127.0.0.1' })).toBe(0);
  });

  it('fails when nobody answers, or something else does', async () => {
    expect(await check({ PORT: '1' })).toBe(1);
    const { port } = await setup.backend(({ end }) => {
      end('what?');
    });
    expect(await check({ PORT: String(port), TLS_CERT_FILE: '/tls.crt' })).toBe(1);
  });
});
