/** The name of what answered: `fp_` and eight digits. */

import type { Target } from '../core/fleet.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';

/** Changes with the model, its server and how much of a conversation it sees (FNV-1a). */
export function fingerprintOf(target: Target, body: JsonObject): string {
  const { serverVersion, model, upstreamModel } = target;
  const weights = model && model.digest !== '' ? model.digest : upstreamModel;
  const text = `${serverVersion}/${weights}/${contextOf(target, body)}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return `fp_${(hash >>> 0).toString(16).padStart(8, '0')}`;
}

/** `num_ctx` as JSON, as the operator fixed it or the request may set it; '' leaves it to the server. */
function contextOf({ options, requestOptions }: Target, body: JsonObject): string {
  const inner = isJsonObject(body.options) ? body.options.num_ctx : undefined;
  const asked = requestOptions.includes('num_ctx') ? (body.num_ctx ?? inner) : undefined;
  const context = options.num_ctx ?? asked;
  return context === undefined || context === null ? '' : JSON.stringify(context);
}

/** Collects the fingerprints of the parts of one answer, which may come from several models. */
export interface CommonFingerprint {
  /** A part that is asked again has that of the last time. */
  note(part: number, fingerprint: string | undefined): void;
  /** undefined when they differ, or when some part has none. */
  value(): string | undefined;
}

export function createCommonFingerprint(): CommonFingerprint {
  const byPart = new Map<number, string | undefined>();
  return {
    note(part, fingerprint) {
      byPart.set(part, fingerprint);
    },
    value() {
      const [first, ...others] = new Set(byPart.values());
      return others.length === 0 ? first : undefined;
    },
  };
}
