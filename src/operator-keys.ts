/** The keys that hold, and changes of the key file, by the same steps as the commands make them. */

import { randomBytes } from 'node:crypto';
import { addKey, revokeKey, rotateKey, timeOf } from './commands/keys/edits.ts';
import { changeKey, changeKeys } from './commands/keys/key-file.ts';
import type { Auth } from './config/keys.ts';
import type { KeyHolder } from './config/schema/auth.ts';
import { printKey, type ApiKey } from './core/api-key.ts';
import { GatewayError } from './core/errors.ts';
import type { KeyChange, KeysDesk, KeyView } from './core/operator.ts';
import type { Reload } from './http/admin/reload.ts';
import { hashKey } from './node/hash-key.ts';

export interface KeysDeskOptions {
  /** What holds now. */
  readonly auth: () => Auth;
  readonly reload: Reload;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
}

const KEY_BYTES = 32;
const ID_BYTES = 6;

export function createKeysDesk({ auth, reload, wallClock }: KeysDeskOptions): KeysDesk<KeyHolder> {
  const all = (): ApiKey[] => {
    const { adminKey, keys } = auth();
    return adminKey ? [adminKey, ...keys] : [...keys];
  };

  /** Throws unknown_key, and invalid_request for what is written down elsewhere. */
  function findInFile(called: string): ApiKey {
    const keys = all();
    const found =
      keys.find(({ client }) => client.keyId === called) ??
      keys.find(({ client, isRevoked }) => client.name === called && !isRevoked);
    if (!found) {
      throw new GatewayError('unknown_key', { message: `There is no key '${called.slice(0, 100)}'.` });
    }
    if (found.source === 'auth.keyFile') return found;
    throw invalid(`'${found.client.name}' is written down in ${found.source}. Change it there.`, 'id');
  }

  /** Makes the change, and has it hold. */
  async function change(
    id: string,
    key: string | undefined,
    edit: () => Promise<unknown>,
  ): Promise<KeyChange> {
    try {
      await edit();
    } catch (cause) {
      throw new GatewayError('key_file_failed', {
        message: `The key file was not changed: ${textOf(cause)}`,
        cause,
      });
    }
    const { isApplied } = await reload();
    const now = isApplied ? all().find(({ client }) => client.keyId === id) : undefined;
    return { id, key, view: now && viewOf(now, wallClock()) };
  }

  return {
    keys: () => all().map((key) => viewOf(key, wallClock())),

    async create(holder) {
      const nowMs = wallClock();
      const { keyFile, hashSecret } = auth();
      if (keyFile === undefined) throw invalid('There is no key file. Set KEY_FILE to make keys.', null);
      if (isOver(holder.expires, nowMs)) throw invalid(`Invalid 'expires': it is over already.`, 'expires');
      const isTaken = (name: string): boolean =>
        all().some(({ client, isRevoked }) => !isRevoked && (client.name === name || client.keyId === name));
      if (isTaken(holder.name)) throw invalid(`Invalid 'name': there is such a key already.`, 'name');
      const plain = printKey(randomBytes(KEY_BYTES));
      const id = `key_${randomBytes(ID_BYTES).toString('hex')}`;
      const { name, ...rest } = holder;
      const key = { id, name, hash: hashKey(plain, hashSecret), created: timeOf(nowMs), ...rest };
      return change(id, plain, () => changeKeys(keyFile, (keys) => addKey(keys, key, isTaken)));
    },

    async rotate(called, { graceMs, expires }) {
      const nowMs = wallClock();
      const { client, isRevoked, expiresMs = Infinity } = findInFile(called);
      const { keyFile = '', hashSecret } = auth();
      if (isRevoked) throw invalid(`'${client.name}' was revoked. Make a new key.`, 'id');
      if (expires === undefined ? expiresMs <= nowMs : isOver(expires, nowMs)) {
        throw invalid(`'${client.name}' would have expired. Say until when the new key is good.`, 'expires');
      }
      const plain = printKey(randomBytes(KEY_BYTES));
      const rotation = { hash: hashKey(plain, hashSecret), nowMs, graceMs, expires };
      return change(client.keyId, plain, () =>
        changeKey(keyFile, client.keyId, (before) => rotateKey(before, rotation)),
      );
    },

    async revoke(called) {
      const { client } = findInFile(called);
      const { keyFile = '' } = auth();
      return change(client.keyId, undefined, () =>
        changeKey(keyFile, client.keyId, (before) => revokeKey(before, wallClock())),
      );
    },
  };
}

function viewOf(
  { client, source, expiresMs, isRevoked, metadata, previous }: ApiKey,
  nowMs: number,
): KeyView {
  const { keyId: id, name, models, limits, modelLimits, priority, isAdmin } = client;
  const stillGood = previous.filter((each) => each.expiresMs > nowMs && !isRevoked);
  return {
    id,
    name,
    source,
    state: isRevoked ? 'revoked' : (expiresMs ?? Infinity) <= nowMs ? 'expired' : 'active',
    models,
    limits,
    modelLimits,
    priority,
    expires: expiresMs === undefined ? undefined : timeOf(expiresMs),
    isAdmin,
    metadata,
    previousUntil: stillGood.map((each) => timeOf(each.expiresMs)),
  };
}

function isOver(expires: string | undefined, nowMs: number): boolean {
  return expires !== undefined && Date.parse(expires) <= nowMs;
}

function invalid(message: string, param: string | null): GatewayError {
  return new GatewayError('invalid_request', {
    message,
    ...(param !== null && { param, code: 'invalid_value' }),
  });
}

/** What the commands say at a terminal. */
function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
