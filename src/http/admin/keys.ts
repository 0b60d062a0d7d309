/** The keys of clients: shown without their hashes, made, replaced and revoked. */

import type { RequestHandler, Response } from 'express';
import type { KeyChange, KeysDesk, KeyView, NewKey, Rotation } from '../../core/operator.ts';
import { readBody, readOptionalBody } from '../body.ts';
import { MAX_BODY_BYTES, type Read } from './models.ts';
import { noteSubject } from './subject.ts';

const CREATED = 201;

export function listKeys(desk: Pick<KeysDesk, 'keys'>): RequestHandler {
  return (_req, res) => {
    res.json({ keys: desk.keys().map(toAnswer) });
  };
}

export function createKey<Made extends NewKey>(
  desk: Pick<KeysDesk<Made>, 'create'>,
  read: Read<Made>,
): RequestHandler {
  return async (req, res) => {
    const made = read(await readBody(req, MAX_BODY_BYTES));
    noteSubject(res, made.name);
    tell(res.status(CREATED), await desk.create(made));
  };
}

export function rotateKey(
  desk: Pick<KeysDesk, 'rotate'>,
  read: Read<Rotation>,
): RequestHandler<{ id: string }> {
  return async (req, res) => {
    const id = noteSubject(res, req.params.id);
    tell(res, await desk.rotate(id, read(await readOptionalBody(req, MAX_BODY_BYTES))));
  };
}

export function revokeKey(desk: Pick<KeysDesk, 'revoke'>): RequestHandler<{ id: string }> {
  return async (req, res) => {
    tell(res, await desk.revoke(noteSubject(res, req.params.id)));
  };
}

/** No cache on the way may keep a key. */
function tell(res: Response, { id, key, view }: KeyChange): void {
  res.setHeader('cache-control', 'no-store');
  res.json({
    id,
    ...(key !== undefined && { key }),
    applied: view !== undefined,
    details: view ? toAnswer(view) : null,
  });
}

function toAnswer({ models, expires, isAdmin, ...view }: KeyView): object {
  return { ...view, models: models ?? null, expires: expires ?? null, admin: isAdmin };
}
