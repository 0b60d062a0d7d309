/** What a request of the operator is about, for the log. */

import type { Response } from 'express';
import { contextOf } from '../context.ts';

const MAX_LENGTH = 200;

/** Gives the name on. */
export function noteSubject(res: Response, name: string): string {
  contextOf(res).subject = name.slice(0, MAX_LENGTH);
  return name;
}
