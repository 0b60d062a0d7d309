/** Names that clients may use, with where they lead to. */

import { ANONYMOUS } from '../../core/client.ts';
import type { Alias, Catalog, Pool } from '../../core/fleet.ts';
import type { ModelPlace, ModelView } from '../../core/operator.ts';
import { residentOf } from './view.ts';

export interface ModelListDeps {
  readonly catalog: Catalog;
  readonly aliases: readonly Alias[];
  readonly pool: Pick<Pool, 'status'>;
}

export function listModels({ catalog, aliases, pool }: ModelListDeps): readonly ModelView[] {
  const configured = new Set(aliases.map(({ name }) => name));
  const statuses = new Map(pool.status().map((status) => [status.backend, status]));
  return catalog.list(ANONYMOUS).map(({ id: name }) => {
    const { targets, type } = catalog.resolve(name, ANONYMOUS);
    const places = targets.flatMap((target): ModelPlace[] => {
      const status = statuses.get(target.backend);
      return status ? [{ target, isResident: residentOf(status, target) }] : [];
    });
    return { name, isAlias: configured.has(name), type, places };
  });
}
