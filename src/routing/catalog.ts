/** Names of models → targets: aliases of the operator first, then what the backends list. */

import type { Client } from '../core/client.ts';
import { GatewayError } from '../core/errors.ts';
import type {
  Alias,
  BackendStatus,
  Catalog,
  ListedModel,
  Resolution,
  Target,
  UpstreamModel,
} from '../core/fleet.ts';

type Fixed = Pick<Alias, 'options' | 'requestOptions' | 'completionTemplate'>;
const NOTHING_FIXED: Fixed = { options: {}, requestOptions: [], completionTemplate: false };

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

  return {
    resolve(name, client) {
      const backends = status();
      const resolution = mayUse(client, name)
        ? (resolveAlias(byName.get(name), backends) ??
          resolveListed(name, backends) ??
          resolveAddress(name, backends) ??
          resolveUnlisted(name, backends))
        : undefined;
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

function resolveAlias(alias: Alias | undefined, backends: readonly BackendStatus[]): Resolution | undefined {
  if (!alias) return undefined;
  const targets = alias.targets.flatMap(({ backend, model }) =>
    backends
      .filter((status) => (backend === undefined ? mayServe(status, model) : isCalled(status, backend)))
      .map((status) => toTarget(status, model, alias)),
  );
  return { targets, label: alias.name, type: alias.type };
}

function resolveListed(name: string, backends: readonly BackendStatus[]): Resolution | undefined {
  const holders = backends.filter((status) => findModel(status, name));
  if (holders.length === 0) return undefined;
  const targets = holders.map((status) => toTarget(status, name));
  return { targets, label: targets[0]?.upstreamModel ?? name };
}

/** `backend/model` names a configured backend; what the model is called there may hold slashes too. */
function resolveAddress(name: string, backends: readonly BackendStatus[]): Resolution | undefined {
  const targets = backends.flatMap((status) => {
    const { backend } = status;
    const called = [backend.name, backend.group].find((own) => name.startsWith(`${own}/`));
    const model = called === undefined ? '' : name.slice(called.length + 1);
    return model === '' ? [] : toTarget(status, model);
  });
  if (targets.length === 0) return undefined;
  return { targets, label: targets.find(({ model }) => model)?.upstreamModel ?? 'other' };
}

/** By its own name, or by that of the configured one behind which it was found. */
function isCalled({ backend }: BackendStatus, name: string): boolean {
  return backend.name === name || backend.group === name;
}

/**
 * Ollama gains models while it runs, and a backend that has not answered yet may have any: they are
 * asked. The others have said what they have.
 */
function resolveUnlisted(name: string, backends: readonly BackendStatus[]): Resolution | undefined {
  const targets = backends
    .filter((status) => status.backend.kind === 'ollama' || status.discovery === undefined)
    .map((status) => toTarget(status, name));
  return targets.length === 0 ? undefined : { targets, label: 'other' };
}

function mayServe(status: BackendStatus, model: string): boolean {
  return status.discovery === undefined || findModel(status, model) !== undefined;
}

function toTarget(
  status: BackendStatus,
  name: string,
  { options, requestOptions, completionTemplate } = NOTHING_FIXED,
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

/** Ollama's default tag may be left out: `x` and `x:latest` are one model. */
function findModel({ discovery }: BackendStatus, name: string): UpstreamModel | undefined {
  return discovery?.models.get(name) ?? discovery?.models.get(`${name}:latest`);
}
