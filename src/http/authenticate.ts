/** Lets in who holds a key, before anything of the body is read. */

import type { RequestHandler } from 'express';
import type { Keyring } from '../core/exchange.ts';
import { contextOf } from './context.ts';

export function authenticate(keyring: Keyring): RequestHandler {
  return (req, res, next) => {
    contextOf(res).client = keyring.identify(req.headers.authorization).name;
    next();
  };
}
