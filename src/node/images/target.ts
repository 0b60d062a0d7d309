/** Where a URL leads, and whether the gateway may go there as far as the URL alone tells. */

import { isIP } from 'node:net';
import { refusal } from './refusal.ts';

/** What the client wrote, or what a server answered with. */
type Origin = 'The image URL' | 'A redirect of the image URL';

/** Throws invalid_image_url. */
export function firstTarget(url: string): URL {
  if (!URL.canParse(url)) throw refusal('The image URL is not a valid URL.');
  return checked(new URL(url), 'The image URL');
}

/** Throws invalid_image_url, also where a redirect would give up encryption. */
export function redirectTarget(from: URL, location: string): URL {
  const origin = 'A redirect of the image URL';
  if (!URL.canParse(location, from.href)) throw refusal(`${origin} leads to no valid URL.`);
  const target = new URL(location, from);
  if (from.protocol === 'https:' && target.protocol === 'http:') {
    throw refusal(`${origin} leads from https to http.`);
  }
  return checked(target, origin);
}

function checked(url: URL, origin: Origin): URL {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw refusal(`${origin} must begin with http:// or https://.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw refusal(`${origin} must not hold a user name or password.`);
  }
  return url;
}

/** Of a host that is an address by itself, for which no name is looked up; else undefined. */
export function literalAddress({ hostname }: URL): string | undefined {
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  return isIP(address) === 0 ? undefined : address;
}
