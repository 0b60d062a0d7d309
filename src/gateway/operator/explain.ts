/** How a request would fare, without sending anything: the same choice as for a real one. */

import { ANONYMOUS } from '../../core/client.ts';
import type { Catalog, KindName, Pool } from '../../core/fleet.ts';
import type { BackendKind } from '../../core/kind.ts';
import type { Operation } from '../../core/operation.ts';
import type { Explanation } from '../../core/operator.ts';
import { checkType } from '../dispatch.ts';
import { residentOf, viewOf } from './view.ts';

export interface ExplainDeps {
  readonly catalog: Catalog;
  readonly pool: Pick<Pool, 'explain' | 'status'>;
  readonly kinds: Readonly<Record<KindName, BackendKind>>;
}

/** What is asked for: a request that was read, or a name alone. */
export type Asked = Operation | { readonly model: string };

/** Throws what the request would hear before any backend is chosen: model_not_found, unsupported_parameter. */
export function explain(asked: Asked, { catalog, pool, kinds }: ExplainDeps): Explanation {
  const operation = 'ignoredParams' in asked ? asked : undefined;
  const resolution = catalog.resolve(asked.model, ANONYMOUS);
  if (operation) checkType(operation, resolution);
  const statuses = new Map(pool.status().map((status) => [status.backend.name, status]));
  const { prospects, refusal } = pool.explain(resolution.targets);
  return {
    model: asked.model,
    label: resolution.label,
    type: resolution.type,
    refusal,
    candidates: prospects.flatMap((prospect) => {
      const { target } = prospect;
      const status = statuses.get(target.backend.name);
      if (!status) return [];
      return {
        ...prospect,
        view: viewOf(status),
        isResident: residentOf(status, target),
        ignoredParams: operation?.ignoredParams(kinds[target.backend.kind], target) ?? [],
      };
    }),
  };
}
