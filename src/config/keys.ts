/** The keys of all sources → what is kept of them, or their faults. */

import type { ApiKey, HashKey, KeySource, PreviousKey } from '../core/api-key.ts';
import { ANONYMOUS, NO_LIMITS, type Limits } from '../core/client.ts';
import type { ReadFile } from './env.ts';
import type { Fault } from './fault.ts';
import type { Locate } from './faults.ts';
import { keyFaults, type FoundKey } from './key-faults.ts';
import { parseKeyFile } from './key-file.ts';
import type { Settings } from './schema.ts';
import type { FileKey, KeyHolder } from './schema/auth.ts';

type AuthSettings = Settings['auth'];

/** Who may enter. No key is in it, but the secret that hashes them is. */
export interface Auth {
  /** Of clients; the holders of some may be operators too. */
  readonly keys: readonly ApiKey[];
  /** Of the operator and nobody else. */
  readonly adminKey: ApiKey | undefined;
  /** There is neither a key nor a file for keys: everybody may enter. */
  readonly isOpen: boolean;
  readonly hashSecret: string | undefined;
  readonly keyFile: string | undefined;
}

export interface KeyContext {
  readonly readFile: ReadFile;
  readonly hashKey: HashKey;
  readonly locate: Locate;
}

export function readKeys(
  settings: AuthSettings,
  context: KeyContext,
): { readonly auth: Auth; readonly faults: readonly Fault[] } {
  const { hashSecret, keyFile } = settings;
  const file = readFileKeys(settings, context);
  const found = [...readPlainKeys(settings, context), ...readClients(settings, context), ...file.found];
  const all = found.map(({ key }) => key);
  const keys = all.filter(({ source }) => source !== 'auth.adminKey');
  return {
    auth: {
      keys,
      adminKey: all.find(({ source }) => source === 'auth.adminKey'),
      isOpen: keys.length === 0 && keyFile === undefined,
      hashSecret,
      keyFile,
    },
    faults: [...file.faults, ...keyFaults(found, hashSecret)],
  };
}

/** Keys that are written down without anything else. */
function readPlainKeys(
  { adminKey, key, keys, hashSecret, limits }: AuthSettings,
  { hashKey, locate }: KeyContext,
): FoundKey[] {
  function toFound(plain: string, name: string, source: KeySource, isAdmin: boolean): FoundKey {
    const index = source === 'auth.keys' ? [keys.indexOf(plain)] : [];
    const path = index.length === 0 ? source : `${source}[${String(index[0])}]`;
    const hash = hashKey(plain, hashSecret);
    return {
      key: toApiKey(
        { name, admin: isAdmin },
        { hash, keyId: name, source, limits: isAdmin ? NO_LIMITS : limits },
      ),
      plain,
      place: () => ({ where: locate([...source.split('.'), ...index]), path }),
    };
  }
  // The same key twice is one.
  const ofClients = [...new Set([...(key === undefined ? [] : [key]), ...keys])];
  return [
    ...(adminKey === undefined ? [] : [toFound(adminKey, 'admin', 'auth.adminKey', true)]),
    ...ofClients.map((plain, i) =>
      toFound(
        plain,
        i === 0 ? 'default' : `key-${String(i + 1)}`,
        plain === key ? 'auth.key' : 'auth.keys',
        false,
      ),
    ),
  ];
}

function readClients(
  { clients, hashSecret, limits }: AuthSettings,
  { hashKey, locate }: KeyContext,
): FoundKey[] {
  return clients.map(({ key: plain, hash: given = '', ...holder }, i) => {
    const hash = plain === undefined ? given : hashKey(plain, hashSecret);
    return {
      key: toApiKey(holder, { hash, keyId: holder.name, source: 'auth.clients', limits }),
      plain,
      place(member) {
        const written = member === 'hash' && plain !== undefined ? 'key' : member;
        return {
          where: locate(['auth', 'clients', i, written]),
          path: `auth.clients[${String(i)}].${written}`,
        };
      },
    };
  });
}

function readFileKeys(
  { keyFile, limits }: AuthSettings,
  { readFile, locate: locateSetting }: KeyContext,
): { readonly found: readonly FoundKey[]; readonly faults: readonly Fault[] } {
  if (keyFile === undefined) return { found: [], faults: [] };
  let text: string;
  try {
    text = readFile(keyFile);
  } catch {
    const message =
      `auth.keyFile: cannot read the file '${keyFile}'. A first key makes it: ` +
      `node-ai-gateway keys create --name NAME --file ${keyFile}`;
    return { found: [], faults: [{ where: locateSetting(['auth', 'keyFile']), message }] };
  }
  const { keys, locate, faults } = parseKeyFile(text, keyFile);
  const found = keys.map((each, i): FoundKey => {
    const { id: keyId, hash, revoked, previous = [] } = each;
    const key = toApiKey(each, { hash, keyId, source: 'auth.keyFile', limits });
    return {
      key: { ...key, isRevoked: revoked !== undefined, previous: previous.map(toPreviousKey) },
      plain: undefined,
      place: (member) => ({ where: locate(i, member), path: `keys[${String(i)}].${member}` }),
    };
  });
  return { found, faults };
}

function toPreviousKey({ hash, expires }: NonNullable<FileKey['previous']>[number]): PreviousKey {
  return { hash, expiresMs: Date.parse(expires) };
}

interface Credential {
  readonly hash: string;
  readonly keyId: string;
  readonly source: KeySource;
  /** Where the holder has none of its own. */
  readonly limits: Limits;
}

function toApiKey(holder: KeyHolder, { hash, keyId, source, limits }: Credential): ApiKey {
  const { name, models, modelLimits = [], priority = 0, expires, admin = false, metadata = {} } = holder;
  return {
    hash,
    previous: [],
    expiresMs: expires === undefined ? undefined : Date.parse(expires),
    isRevoked: false,
    metadata,
    source,
    client: {
      ...ANONYMOUS,
      name,
      keyId,
      models,
      limits: { ...limits, ...definedOf(holder.limits ?? {}) },
      modelLimits: modelLimits.map((each) => ({
        models: each.models,
        requestsPerMinute: each.requestsPerMinute ?? 0,
        tokensPerMinute: each.tokensPerMinute ?? 0,
      })),
      priority,
      isAdmin: admin,
    },
  };
}

function definedOf(limits: NonNullable<KeyHolder['limits']>): Partial<Limits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
