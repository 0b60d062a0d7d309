/** What the operator fixed for a model holds under every name that leads to it. */

import type { Alias, BackendStatus } from '../core/fleet.ts';
import { isCalled, isSameModel } from './model-names.ts';

export type Fixed = Pick<Alias, 'type' | 'options' | 'requestOptions' | 'completionTemplate'>;

/** For a name that is no alias: what holds for the model of that name on that backend. */
export type FixedSettings = (status: BackendStatus, model: string) => Fixed;

const NOTHING_FIXED: Fixed = { options: {}, requestOptions: [], completionTemplate: false };

/**
 * First what was fixed for the model under its own name, then by an alias that leads to it on this
 * backend, then by one that leads to it wherever it is; of several the first in the configuration.
 */
export function createFixedSettings(aliases: readonly Alias[]): FixedSettings {
  return (status, model) => {
    const covers = ({ model: own }: Alias['targets'][number]): boolean => isSameModel(status, own, model);
    return (
      aliases.find(({ name, targets }) =>
        targets.some((t) => t.backend === undefined && t.model === name && covers(t)),
      ) ??
      aliases.find(({ targets }) =>
        targets.some((t) => t.backend !== undefined && isCalled(status, t.backend) && covers(t)),
      ) ??
      aliases.find(({ targets }) => targets.some((t) => t.backend === undefined && covers(t))) ??
      NOTHING_FIXED
    );
  };
}
