/** GET /v1/models and /v1/models/{id}: what can be asked for. */

import type { RequestHandler, Response } from 'express';
import { GatewayError } from '../core/errors.ts';
import type { ListedModel } from '../core/fleet.ts';
import { clientOf } from './authenticate.ts';
import { contextOf } from './context.ts';

export const listModels: RequestHandler = (_req, res) => {
  res.json({ object: 'list', data: modelsFor(res).map(toModel) });
};

/** Ids hold slashes and colons, written plainly or as %2F; the router has decoded them. */
export const showModel: RequestHandler<{ id: string[] }> = (req, res) => {
  const id = req.params.id.join('/');
  const models = modelsFor(res);
  const model = models.find((each) => each.id === id) ?? models.find((each) => each.id === `${id}:latest`);
  if (!model) {
    throw new GatewayError('model_not_found', {
      message: `The model '${id.slice(0, 200)}' does not exist or you do not have access to it.`,
      param: 'model',
    });
  }
  res.json(toModel(model));
};

function modelsFor(res: Response): readonly ListedModel[] {
  const context = contextOf(res);
  return context.generation.catalog.list(clientOf(context));
}

function toModel({ id, created, ownedBy }: ListedModel): {
  id: string;
  object: 'model';
  created: number;
  owned_by: string;
} {
  return { id, object: 'model', created, owned_by: ownedBy };
}
