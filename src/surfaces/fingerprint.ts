import type { Target } from '../core/fleet.ts';

/** `fp_` and eight digits that change when the model or its server does (FNV-1a). */
export function fingerprintOf({ serverVersion, model, upstreamModel }: Target): string {
  const text = `${serverVersion}/${model?.digest ?? upstreamModel}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return `fp_${(hash >>> 0).toString(16).padStart(8, '0')}`;
}
