/** What is known of the targets of a request before anything is spent on it. */

import { toGatewayError, type GatewayError } from '../core/errors.ts';
import type { Describe, KindName, Resolution, Target } from '../core/fleet.ts';
import type { BackendKind } from '../core/kind.ts';
import type { Operation } from '../core/operation.ts';

/** No probe has listed the model: what it can do is not known. */
export function isUnknown({ model }: Target): boolean {
  return model === undefined;
}

/** The same targets with what their backends tell of models that no probe has listed. */
export async function described(resolution: Resolution, describe: Describe): Promise<Resolution> {
  const targets = await Promise.all(
    resolution.targets.map(async (target) =>
      isUnknown(target) ? { ...target, model: await describe(target.backend, target.upstreamModel) } : target,
    ),
  );
  return { ...resolution, targets };
}

/** Throws the first refusal when none of the targets can do what is asked. */
export function requireAble(
  operation: Operation,
  targets: readonly Target[],
  kinds: Readonly<Record<KindName, BackendKind>>,
): void {
  let refusal: GatewayError | undefined;
  for (const target of targets) {
    const error = refusalOf(operation, kinds[target.backend.kind], target);
    if (!error) return;
    refusal ??= error;
  }
  if (refusal) throw refusal;
}

function refusalOf(operation: Operation, kind: BackendKind, target: Target): GatewayError | undefined {
  try {
    operation.check?.(kind, target);
    return undefined;
  } catch (error) {
    return toGatewayError(error);
  }
}
