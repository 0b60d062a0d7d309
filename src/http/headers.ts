/** Headers of an answer, set one by one so that those of others stay. */

import type { ServerResponse } from 'node:http';

export function setHeaders(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
}
