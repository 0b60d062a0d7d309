/** The files of certificates and keys → their texts, or their faults. */

import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { BackendTls, Identity, ServerTls, TlsChecks } from '../core/tls.ts';
import type { ReadFile } from './env.ts';
import type { Fault } from './fault.ts';
import { asArray, asObject, nameOf, type Locate } from './faults.ts';

export interface TlsContext {
  readonly readFile: ReadFile;
  readonly checks: TlsChecks;
  readonly locate: Locate;
}

export interface Tls {
  /** undefined: connections are not encrypted. */
  readonly server: ServerTls | undefined;
  /** By their place in the configuration. */
  readonly backends: readonly (BackendTls | undefined)[];
  readonly faults: readonly Fault[];
}

type Path = readonly PropertyKey[];

/** `raw` is what file and environment say: what is no setting at all, the schema complains about. */
export function readTls(raw: unknown, context: TlsContext): Tls {
  const { server, backends } = asObject(raw);
  const reader = createReader(context);
  return {
    server: readServer(reader, asObject(asObject(server).tls)),
    backends: asArray(backends).map((backend, i) => readBackend(reader, asObject(backend), i)),
    faults: reader.faults,
  };
}

type Check = (pem: string) => string | undefined;

interface Reader {
  readonly checks: TlsChecks;
  readonly faults: Fault[];
  complain(path: Path, complaint: string): void;
  /** undefined when the setting names no file, or one that is of no use. */
  read(settings: JsonObject, path: Path, name: string, check: Check): string | undefined;
}

function createReader({ readFile, checks, locate }: TlsContext): Reader {
  const faults: Fault[] = [];

  function complain(path: Path, complaint: string): void {
    faults.push({ where: locate(path), message: `${nameOf(path)}: ${complaint}` });
  }

  return {
    checks,
    faults,
    complain,
    read(settings, path, name, check) {
      const file = settings[name];
      if (typeof file !== 'string' || file === '') return undefined;
      let pem: string;
      try {
        pem = readFile(file);
      } catch (error) {
        complain([...path, name], `cannot read the file '${file}'${reasonOf(error)}.`);
        return undefined;
      }
      const complaint = check(pem);
      if (complaint === undefined) return pem;
      complain([...path, name], `the file '${file}' ${complaint}`);
      return undefined;
    },
  };
}

function readServer(reader: Reader, settings: JsonObject): ServerTls | undefined {
  const path = ['server', 'tls'];
  const identity = readIdentity(reader, settings, path);
  const clientCa = reader.read(settings, path, 'clientCaFile', reader.checks.certificates);
  if (settings.clientCaFile !== undefined && settings.certFile === undefined) {
    reader.complain([...path, 'clientCaFile'], 'needs certFile and keyFile beside it.');
  }
  return identity && { ...identity, clientCa };
}

function readBackend(reader: Reader, { url, tls }: JsonObject, index: number): BackendTls | undefined {
  const settings = asObject(tls);
  if (Object.keys(settings).length === 0) return undefined;
  const path = ['backends', index, 'tls'];
  if (typeof url === 'string' && !/^https:/i.test(url)) {
    reader.complain(path, 'needs a url that begins with https://.');
  }
  const ca = reader.read(settings, path, 'caFile', reader.checks.certificates);
  return { ca, identity: readIdentity(reader, settings, path), serverName: textOf(settings.serverName) };
}

/** Either is of no use without the other. */
const PAIR = [
  ['certFile', 'keyFile'],
  ['keyFile', 'certFile'],
] as const;

function readIdentity(reader: Reader, settings: JsonObject, path: Path): Identity | undefined {
  const { checks } = reader;
  const cert = reader.read(settings, path, 'certFile', checks.certificates);
  const passphrase = textOf(settings.keyPassphrase);
  const key = reader.read(settings, path, 'keyFile', (pem) => checks.key(pem, passphrase));
  for (const [name, other] of PAIR) {
    if (settings[name] !== undefined && settings[other] === undefined) {
      reader.complain([...path, name], `needs ${other} beside it.`);
    }
  }
  if (cert === undefined || key === undefined) return undefined;
  const identity = { cert, key, passphrase };
  const complaint = checks.pair(identity);
  if (complaint === undefined) return identity;
  reader.complain([...path, 'keyFile'], `the file '${String(settings.keyFile)}' ${complaint}`);
  return undefined;
}

/** EACCES and ENOENT are mended in different ways. */
function reasonOf(error: unknown): string {
  return isJsonObject(error) && typeof error.code === 'string' ? ` (${error.code})` : '';
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
