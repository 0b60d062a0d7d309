/** All that the operator may ask for, put together of what the gateway has anyway. */

import type { Config } from './config/load.ts';
import type { ActiveExchange, Now, StreamStatus } from './core/exchange.ts';
import type { KeyHolder } from './config/schema/auth.ts';
import type {
  Explanation,
  FleetDesk,
  KeysDesk,
  ModelsDesk,
  ModelView,
  StreamsDesk,
} from './core/operator.ts';
import type { ReportUsage } from './core/usage.ts';
import type { AskAll } from './core/workers.ts';
import { explain, type Asked, type ExplainDeps } from './gateway/operator/explain.ts';
import { createFleetDesk } from './gateway/operator/fleet.ts';
import { listModels } from './gateway/operator/models.ts';
import { createModelsDesk, type ModelsDeskDeps } from './gateway/operator/residency.ts';
import { createStreamsDesk } from './gateway/operator/streams.ts';
import type { ConfigDescription } from './http/admin/config.ts';
import type { Reload } from './http/admin/reload.ts';
import { createKeysDesk } from './operator-keys.ts';
import type { Pool } from './core/fleet.ts';

export interface Operator extends FleetDesk, StreamsDesk, ModelsDesk {
  models(): readonly ModelView[];
  /** In this process. Throws GatewayError as a request would. */
  explain(asked: Asked): Explanation;
  describeConfig(): ConfigDescription;
  /** `reload`: has a change of the key file hold. */
  keysDesk(reload: Reload): KeysDesk<KeyHolder>;
  /** undefined: usage is not counted. */
  readonly report: ReportUsage | undefined;
}

export interface OperatorDeps extends Omit<ModelsDeskDeps, 'aliases'> {
  readonly pool: Pool;
  readonly config: () => Config;
  readonly active: () => Iterable<ActiveExchange>;
  readonly streamTotals: () => Promise<Readonly<Record<StreamStatus, number>>>;
  readonly now: Now;
  readonly askAll: AskAll;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly report: ReportUsage | undefined;
}

export function createOperator(deps: OperatorDeps): Operator {
  const { config, pool, kinds } = deps;
  const aliases = (): Config['aliases'] => config().aliases;
  const explainDeps = (): ExplainDeps => ({ catalog: deps.catalog(), pool, kinds });
  return {
    ...createFleetDesk(pool, deps.askAll),
    ...createStreamsDesk(deps),
    ...createModelsDesk({ ...deps, aliases }),
    models: () => listModels({ catalog: deps.catalog(), aliases: aliases(), pool }),
    explain: (asked) => explain(asked, explainDeps()),
    describeConfig: () => config().description,
    keysDesk: (reload) => createKeysDesk({ auth: () => config().auth, reload, wallClock: deps.wallClock }),
    report: deps.report,
  };
}
