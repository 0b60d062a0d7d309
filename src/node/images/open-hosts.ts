/** The hosts that the operator opened: what is theirs may stand in a private network. */

import { isIPv6 } from 'node:net';

const HOST_AND_PORT = /^(\[[0-9a-f:.]+\]|[^\s:/\\?#@[\]*]+)(?::(\d{1,5}))?$/i;

/**
 * Entries are `host`, which opens all its ports, or `host:port`. Names are compared as they stand, not
 * by what they resolve to. Throws a TypeError for what is neither.
 */
export function createOpenHosts(entries: readonly string[]): (url: URL) => boolean {
  const open = new Set(entries.map(normalised));
  return (url) => {
    const host = withoutRootDot(url.hostname);
    const port = url.port || (url.protocol === 'https:' ? '443' : '80');
    return open.has(host) || open.has(`${host}:${port}`);
  };
}

function normalised(entry: string): string {
  const [, host = '', port = ''] = HOST_AND_PORT.exec(isIPv6(entry) ? `[${entry}]` : entry) ?? [];
  if (!URL.canParse(`http://${host}:${port}/`))
    throw new TypeError(`'${entry}' is neither a host nor host:port.`);
  const { hostname } = new URL(`http://${host}/`);
  return withoutRootDot(hostname) + (port === '' ? '' : `:${String(Number(port))}`);
}

function withoutRootDot(hostname: string): string {
  return hostname.replace(/\.$/, '');
}
