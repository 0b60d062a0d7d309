/** Names of models → targets: aliases of the operator first, then what the backends list. */

import type { Client } from '../core/client.ts';
import { GatewayError } from '../core/errors.ts';
import type { Alias, BackendStatus, Catalog, ListedModel, Resolution, Target } from '../core/fleet.ts';

import { createFixedSettings, type Fixed, type FixedSettings } from './fixed-settings.ts';
import { findModel, isCalled } from './model-names.ts';

interface CatalogOptions {
  readonly mayUse: (client: Client, model: string) => boolean;
  readonly aliases: readonly Alias[];
  /** The state of the backends now. */
  readonly status: () => readonly BackendStatus[];
  /** Unix seconds, for models whose age nobody tells. */
  readonly startedAt: number;
}

export function createCatalog({ mayUse, aliases, status, startedAt }: CatalogOptions): Catalog {
  const byName = new Map(aliases.map((alias) => [alias.name, alias]));
  const fixed = createFixedSettings(aliases);

  function resolveName(name: string, backends: readonly BackendStatus[]): Resolution | undefined {
    const alias = byName.get(name);
    if (alias) return resolveAlias(alias, backends);
    return (
      resolveListed(name, backends, fixed) ??
      resolveAddress(name, backends, fixed) ??
      resolveUnlisted(name, backends, fixed)
    );
  }

  return {
    resolve(name, client) {
      const resolution = mayUse(client, name) ? resolveName(name, status()) : undefined;
      if (resolution) return resolution;
      throw new GatewayError('model_not_found', {
        message: `The model \`${name.slice(0, 200)}\` does not exist or you do not have access to it.`,
      });
    },

    list(client) {
      const models = new Map<string, ListedModel>();
      for (const alias of aliases) {
        models.set(alias.name, { id: alias.name, created: startedAt, ownedBy: 'gateway' });
      }
      for (const { discovery } of status()) {
        for (const { name, created, ownedBy } of discovery?.models.values() ?? []) {
          if (!models.has(name)) models.set(name, { id: name, created, ownedBy });
        }
      }
      return [...models.values()].filter(({ id }) => mayUse(client, id));
    },
  };
}

/** undefined when nobody has or may have any of its models. A backend that it names may be away, and come back. */
function resolveAlias(alias: Alias, backends: readonly BackendStatus[]): Resolution | undefined {
  const targets = alias.targets.flatMap(({ backend, model }) =>
    (backend === undefined
      ? serversOf(model, backends)
      : backends.filter((status) => isCalled(status, backend))
    ).map((status) => toTarget(status, model, alias)),
  );
  const isHopeless = targets.length === 0 && alias.targets.every(({ backend }) => backend === undefined);
  return isHopeless ? undefined : { targets, label: alias.name, type: alias.type };
}

function serversOf(model: string, backends: readonly BackendStatus[]): readonly BackendStatus[] {
  const likely = backends.filter((status) => mayServe(status, model));
  return likely.length > 0 ? likely : backends.filter(isAsked);
}

/**
 * Who has it. When none of them is there, also who has not told yet what it has: a worker that has
 * just begun hears of its backends one after the other.
 */
function resolveListed(
  name: string,
  backends: readonly BackendStatus[],
  fixed: FixedSettings,
): Resolution | undefined {
  const holders = backends.filter((status) => findModel(status, name));
  if (holders.length === 0) return undefined;
  const isThere = holders.some(({ isUp, isDrained }) => isUp && !isDrained);
  const asked = isThere ? holders : backends.filter((status) => mayServe(status, name));
  const targets = asked.map((status) => toTarget(status, name, fixed(status, name)));
  return {
    targets,
    label: targets.find(({ model }) => model)?.upstreamModel ?? name,
    type: typeOf(name, holders, fixed),
  };
}

/** `backend/model` names a configured backend; what the model is called there may hold slashes too. */
function resolveAddress(
  name: string,
  backends: readonly BackendStatus[],
  fixed: FixedSettings,
): Resolution | undefined {
  const found = backends.flatMap((status) => {
    const { backend } = status;
    const called = [backend.name, backend.group].find((own) => name.startsWith(`${own}/`));
    const model = called === undefined ? '' : name.slice(called.length + 1);
    return model === '' ? [] : { status, model, settings: fixed(status, model) };
  });
  if (found.length === 0) return undefined;
  const targets = found.map(({ status, model, settings }) => toTarget(status, model, settings));
  return {
    targets,
    label: targets.find(({ model }) => model)?.upstreamModel ?? 'other',
    type: found.find(({ settings }) => settings.type)?.settings.type,
  };
}

function typeOf(name: string, backends: readonly BackendStatus[], fixed: FixedSettings): Fixed['type'] {
  return backends.map((status) => fixed(status, name).type).find((type) => type !== undefined);
}

function resolveUnlisted(
  name: string,
  backends: readonly BackendStatus[],
  fixed: FixedSettings,
): Resolution | undefined {
  const asked = backends.filter(isAsked);
  if (asked.length === 0) return undefined;
  const targets = asked.map((status) => toTarget(status, name, fixed(status, name)));
  return { targets, label: 'other', type: typeOf(name, asked, fixed) };
}

/**
 * About models that nobody lists: Ollama gains models while it runs, and a backend that has not
 * answered yet may have any. The others have said what they have.
 */
function isAsked({ backend, discovery }: BackendStatus): boolean {
  return backend.kind === 'ollama' || discovery === undefined;
}

function mayServe(status: BackendStatus, model: string): boolean {
  return status.discovery === undefined || findModel(status, model) !== undefined;
}

function toTarget(
  status: BackendStatus,
  name: string,
  { options, requestOptions, completionTemplate }: Fixed,
): Target {
  const model = findModel(status, name);
  return {
    backend: status.backend,
    upstreamModel: model?.name ?? name,
    model,
    serverVersion: status.discovery?.version ?? '',
    options,
    requestOptions,
    completionTemplate,
  };
}
