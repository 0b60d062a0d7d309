/** What a backend was told and where it is, taken out of what it says: some print their own headers into errors. */

import type { Backend } from './fleet.ts';

/** Shorter ones are no secrets, and words of the message might be the same. */
const MIN_SECRET_LENGTH = 8;

export function withoutSecrets<T extends string>(text: T, { apiKey, headers, url }: Backend): T {
  const { host, port } = new URL(url);
  return [
    ...(apiKey === undefined ? [] : [apiKey]),
    ...Object.values(headers),
    ...(port === '' ? [] : [host]),
  ]
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
    .reduce<string>((rest, secret) => rest.replaceAll(secret, '[hidden]'), text) as T;
}
