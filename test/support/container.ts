/**
 * Builds the Dockerfile and runs what comes of it: with Docker where an engine runs; else with buildah, podman and
 * runc, over a base image that stands in for the real one where no registry can be reached.
 */

import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TAG = 'node-ai-gateway:test';
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** A build without a way to the registry would hang. */
const BUILD_MS = 300_000;
const COMMAND_MS = 60_000;
/** What the strictest clusters ask for. */
const RESTRICTED = ['--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges'];

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ImageConfig {
  readonly User: string;
  readonly Cmd: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly ExposedPorts: Readonly<Record<string, unknown>>;
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

export interface Container {
  /** Runs a program inside, with these variables besides the container's own. */
  exec(command: readonly string[], env?: Readonly<Record<string, string>>): Promise<Result>;
  /** Resolves with all that was logged when it holds this text; rejects when it ends without it. */
  until(text: string): Promise<string>;
  /** SIGTERM, and SIGKILL after so long. Resolves when it has ended. */
  stop(graceSeconds: number): Promise<void>;
  /** Waits for the end by itself. */
  ended(): Promise<{ readonly code: number; readonly log: string }>;
}

export interface Engine {
  /** False: this machine has no means to build an image. */
  readonly isUsable: boolean;
  build(): Promise<void>;
  config(): Promise<ImageConfig>;
  /** Starts the image on the network of this machine, as restricted as it can be. */
  start(env: Readonly<Record<string, string>>): Promise<Container>;
  /** Runs something else in the image, to its end. */
  run(command: readonly string[]): Promise<Result>;
  /** Removes all of it. */
  close(): Promise<void>;
}

interface Commands {
  readonly isUsable: boolean;
  readonly command: readonly string[];
  readonly runOptions: readonly string[];
  build(): Promise<void>;
  close(): Promise<void>;
}

export function findEngine(): Engine {
  return createEngine(isThere('docker', 'info') ? docker() : standIn());
}

function docker(): Commands {
  return {
    isUsable: true,
    command: ['docker'],
    runOptions: [],
    build: () => must('docker', ['build', '--tag', TAG, ROOT], BUILD_MS),
    async close() {
      await sh('docker', ['rmi', '--force', TAG]);
    },
  };
}

/** Nested cgroups allow neither another isolation nor another runtime, and no higher limits than these. */
function standIn(): Commands {
  const hasTools = ['buildah', 'podman', 'runc', 'debootstrap'].every((name) => isThere(name, '--version'));
  const storage = join(tmpdir(), `gateway-image-${String(process.pid)}`);
  const where = ['--root', join(storage, 'root'), '--runroot', join(storage, 'run')];
  const podman = ['podman', ...where, '--runtime', '/usr/sbin/runc'];
  const npmrc = join(storage, 'npmrc');
  return {
    isUsable: hasTools && process.getuid?.() === 0 && process.arch === 'x64',
    command: podman,
    runOptions: ['--ulimit=nofile=1024:1024', '--ulimit=nproc=1024:1024'],
    async build() {
      mkdirSync(storage);
      await must(join(ROOT, '.ci', 'stand-in-base'), [storage], BUILD_MS);
      // The registry of this machine may have a certificate that only this machine knows.
      writeFileSync(npmrc, 'cafile=/etc/ssl/certs/ca-certificates.crt\n');
      const mounts = [`${npmrc}:/root/.npmrc:ro`, '/etc/ssl/certs:/etc/ssl/certs:ro'];
      const how = ['--isolation=chroot', '--pull-never', '--format=docker'];
      const volumes = mounts.map((mount) => `--volume=${mount}`);
      await must('buildah', [...where, 'bud', ...how, ...volumes, '--tag', TAG, ROOT], BUILD_MS);
    },
    async close() {
      const [program = '', ...args] = podman;
      await sh(program, [...args, 'rm', '--all', '--force', '--time=0']);
      await sh(program, [...args, 'rmi', '--all', '--force']);
      rmSync(storage, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

function createEngine({ isUsable, command, runOptions, build, close }: Commands): Engine {
  const [program = '', ...before] = command;
  const call = (...args: readonly string[]): Promise<Result> => sh(program, [...before, ...args]);
  const running: string[] = [];
  const options = [...runOptions, ...RESTRICTED, '--network=host'];

  return {
    isUsable,
    build,

    async config() {
      const { stdout } = await call('image', 'inspect', TAG);
      const [image] = JSON.parse(stdout) as [{ Config: object; Healthcheck?: object }];
      // Podman has the health check beside the rest.
      return { Healthcheck: image.Healthcheck, ...image.Config } as ImageConfig;
    },

    async start(env) {
      const { code, stdout, stderr } = await call('run', '--detach', ...options, ...toFlags(env), TAG);
      const id = stdout.trim();
      if (code !== 0) throw new Error(`the container did not start: ${stderr}`);
      running.push(id);
      return createContainer(call, id);
    },

    run: (given) => call('run', '--rm', ...options, TAG, ...given),

    async close() {
      for (const id of running) await call('rm', '--force', id);
      await close();
    },
  };
}

function createContainer(call: (...args: readonly string[]) => Promise<Result>, id: string): Container {
  async function log(): Promise<string> {
    const { stdout, stderr } = await call('logs', id);
    return stdout + stderr;
  }
  return {
    exec: (command, env = {}) => call('exec', ...toFlags(env), id, ...command),
    async until(text) {
      for (;;) {
        const state = await call('inspect', '--format={{.State.Running}}', id);
        const seen = await log();
        if (seen.includes(text)) return seen;
        if (state.stdout.trim() !== 'true') throw new Error(`ended before it logged ${text}: ${seen}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    async stop(graceSeconds) {
      await call('stop', '--time', String(graceSeconds), id);
    },
    async ended() {
      const { stdout } = await call('wait', id);
      return { code: Number(stdout), log: await log() };
    },
  };
}

function toFlags(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).map(([name, value]) => `--env=${name}=${value}`);
}

function isThere(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore', timeout: COMMAND_MS }).status === 0;
}

async function must(program: string, args: readonly string[], timeoutMs: number): Promise<void> {
  const { code, stdout, stderr } = await sh(program, args, timeoutMs);
  if (code !== 0) throw new Error(`${program} ended with ${String(code)}:\n${stdout}\n${stderr}`);
}

/** Waits without holding up this process, which may be the backend of what is called. */
function sh(program: string, args: readonly string[], timeoutMs = COMMAND_MS): Promise<Result> {
  return new Promise((resolve) => {
    const limits = { timeout: timeoutMs, maxBuffer: MAX_OUTPUT_BYTES };
    execFile(program, args, limits, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
    });
  });
}
