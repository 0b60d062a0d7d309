/** GET /admin/models, and loading a model into memory and out of it. */

import type { RequestHandler } from 'express';
import type { ModelsDesk, ModelView } from '../../core/operator.ts';
import type { KeepAlive, ResidencyResult } from '../../core/residency.ts';
import { readOptionalBody } from '../body.ts';
import { leaving } from '../leaving.ts';
import { toErrorAnswer } from './errors.ts';
import { noteSubject } from './subject.ts';

/** Of requests that say little. */
export const MAX_BODY_BYTES = 64 * 1024;

/** Names of models hold slashes and colons; the router has decoded them. */
export interface ModelParams {
  readonly name: string[];
}

/** Reads a body, which is `{}` when there is none. Throws GatewayError (400). */
export type Read<T> = (json: string) => T;

interface Place {
  readonly backend: string | undefined;
}

export function listModels(models: () => readonly ModelView[]): RequestHandler {
  return (_req, res) => {
    res.json({ models: models().map(toAnswer) });
  };
}

export function warmModel(
  desk: Pick<ModelsDesk, 'warm'>,
  read: Read<Place & { readonly keepAlive: KeepAlive }>,
): RequestHandler<ModelParams> {
  return async (req, res) => {
    const model = noteSubject(res, nameOf(req.params));
    const { backend, keepAlive } = read(await readOptionalBody(req, MAX_BODY_BYTES));
    const results = await desk.warm({ model, backend }, keepAlive, leaving(res));
    res.json({ model, results: toResults(results, 'loaded') });
  };
}

export function unloadModel(
  desk: Pick<ModelsDesk, 'unload'>,
  read: Read<Place>,
): RequestHandler<ModelParams> {
  return async (req, res) => {
    const model = noteSubject(res, nameOf(req.params));
    const { backend } = read(await readOptionalBody(req, MAX_BODY_BYTES));
    const results = await desk.unload({ model, backend }, leaving(res));
    res.json({ model, results: toResults(results, 'unloaded') });
  };
}

export function nameOf({ name }: ModelParams): string {
  return name.join('/');
}

export function toResults(results: readonly ResidencyResult[], done: string): object[] {
  return results.map(({ error, backend, model, durationMs }) => ({
    backend,
    model,
    status: error ? 'failed' : done,
    durationMs,
    ...(error && { error: toErrorAnswer(error) }),
  }));
}

function toAnswer({ name, isAlias, type, places }: ModelView): object {
  return {
    name,
    alias: isAlias,
    type: type ?? null,
    backends: places.map(({ target, isResident }) => ({
      backend: target.backend.name,
      model: target.upstreamModel,
      listed: target.model !== undefined,
      resident: isResident ?? null,
      family: target.model?.family ?? null,
      capabilities: target.model?.capabilities ?? null,
      digest: target.model?.digest === '' ? null : (target.model?.digest ?? null),
    })),
  };
}
