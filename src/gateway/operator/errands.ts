/** Where something is to be done with a model: a place for each backend that can do it. */

import { ANONYMOUS } from '../../core/client.ts';
import { GatewayError, toGatewayError } from '../../core/errors.ts';
import type { Now } from '../../core/exchange.ts';
import type { Alias, Backend, Catalog, KindName, Pool, Target } from '../../core/fleet.ts';
import type { BackendKind } from '../../core/kind.ts';
import type { Wish } from '../../core/operator.ts';
import type { ResidencyMethods, ResidencyResult } from '../../core/residency.ts';
import { checkKnown, isOf } from './fleet.ts';

export interface ErrandDeps {
  /** What holds now. */
  readonly catalog: () => Catalog;
  readonly aliases: () => readonly Alias[];
  readonly pool: Pick<Pool, 'status'>;
  readonly kinds: Readonly<Record<KindName, BackendKind>>;
  readonly now: Now;
}

export interface Errand {
  readonly target: Target;
  readonly kind: BackendKind;
  readonly methods: ResidencyMethods;
}

/** Where the model is, as far as anybody knows. Throws what ModelsDesk says. */
export function errandsFor(wish: Wish, { catalog, pool, kinds }: ErrandDeps): Errand[] {
  const backends = pool.status().map(({ backend }) => backend);
  const { targets } = catalog().resolve(wish.model, ANONYMOUS);
  return toErrands(wish, targets, backends, kinds);
}

/** Where the model could be: an alias stands for the models that it leads to. Throws what ModelsDesk says. */
export function errandsForNew(wish: Wish, { aliases, pool, kinds }: ErrandDeps): Errand[] {
  const backends = pool.status().map(({ backend }) => backend);
  const alias = aliases().find(({ name }) => name === wish.model);
  const places = alias?.targets ?? [{ model: wish.model }];
  const targets = places.flatMap(({ backend: name, model }) =>
    backends
      .filter((backend) => (name === undefined ? isOfUse(backend, wish, kinds) : isOf(backend, name)))
      .map((backend) => bareTarget(backend, model)),
  );
  return toErrands(wish, targets, backends, kinds);
}

/** Does the work everywhere at the same time; its failures are in the results. */
export async function runErrands(
  errands: readonly Errand[],
  now: Now,
  work: (errand: Errand) => Promise<void>,
): Promise<readonly ResidencyResult[]> {
  return Promise.all(
    errands.map(async (errand) => {
      const startedMs = now();
      const error = await work(errand).then(() => undefined, toGatewayError);
      const { backend, upstreamModel } = errand.target;
      return {
        backend: backend.name,
        model: upstreamModel,
        error,
        durationMs: Math.round(now() - startedMs),
      };
    }),
  );
}

/** Throws the first failure when there is nothing else. */
export function unlessAllFailed(results: readonly ResidencyResult[]): readonly ResidencyResult[] {
  const [first] = results;
  if (first?.error && results.every(({ error }) => error)) throw first.error;
  return results;
}

function toErrands(
  { model, backend: wanted }: Wish,
  targets: readonly Target[],
  backends: readonly Backend[],
  kinds: ErrandDeps['kinds'],
): Errand[] {
  if (wanted !== undefined) checkKnown(wanted, backends);
  const chosen = targets.filter(({ backend }) => wanted === undefined || isOf(backend, wanted));
  const errands = chosen.flatMap((target): Errand[] => {
    const kind = kinds[target.backend.kind];
    return kind.residency ? [{ target, kind, methods: kind.residency }] : [];
  });
  if (errands.length > 0) return errands;
  throw chosen.length > 0 || wanted === undefined ? cannot(chosen[0]) : notThere(model, wanted);
}

/** Every backend that can; or the one that was named, which may turn out to be of another kind. */
function isOfUse(backend: Backend, wish: Wish, kinds: ErrandDeps['kinds']): boolean {
  return wish.backend !== undefined || kinds[backend.kind].residency !== undefined;
}

function bareTarget(backend: Backend, upstreamModel: string): Target {
  return {
    backend,
    upstreamModel,
    model: undefined,
    serverVersion: '',
    options: {},
    requestOptions: [],
    completionTemplate: false,
  };
}

function notThere(model: string, backend: string): GatewayError {
  return new GatewayError('model_not_found', {
    message: `Backend '${backend}' does not have the model \`${model.slice(0, 200)}\`.`,
  });
}

function cannot(target: Target | undefined): GatewayError {
  const who = target ? `Backends of kind ${target.backend.kind}` : 'The backends of this gateway';
  return new GatewayError('invalid_request', {
    message: `${who} decide themselves which models they hold: only Ollama can be told to load, unload or pull one.`,
    param: 'backend',
    code: 'unsupported_by_backend',
  });
}
