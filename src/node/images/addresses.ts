/** Which addresses are closed to a gateway that fetches what a client names: all that are not plainly public. */

import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** IANA's special-purpose registry (RFC 6890) and what clouds put outside of it. */
const CLOSED_IPV4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8], // this host, this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // carrier-grade NAT; Alibaba's metadata at 100.100.100.200
  ['127.0.0.0', 8], // loopback
  ['168.63.129.16', 32], // Azure's host agent, a public address that only its machines reach
  ['169.254.0.0', 16], // link-local; metadata at 169.254.169.254
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // IETF protocols; Oracle's metadata at 192.0.0.192
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16], // private
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
];

/**
 * Global unicast, all that IANA gives out. What is outside is closed without being listed: loopback,
 * IPv4-mapped and -compatible, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), unique local (fd00:ec2::254 is
 * Amazon's metadata), link-local, site-local, multicast.
 */
const OPEN_IPV6 = ['2000::', 3] as const;

/** Closed within it, above all what carries an IPv4 address to somewhere else. */
const CLOSED_IPV6: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23], // IETF protocols: Teredo 2001::/32, benchmarks, ORCHID
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4
  ['3fff::', 20], // documentation
];

/** Takes an address as a resolver or a URL gives it, without brackets; what is none is closed. */
export function createClosedAddresses(): (address: string) => boolean {
  const closed = new BlockList();
  for (const [network, prefix] of CLOSED_IPV4) closed.addSubnet(network, prefix, 'ipv4');
  for (const [network, prefix] of CLOSED_IPV6) closed.addSubnet(network, prefix, 'ipv6');
  const open = new BlockList();
  open.addSubnet(...OPEN_IPV6, 'ipv6');

  return (address) => {
    if (isIPv4(address)) return closed.check(address, 'ipv4');
    // A zone (`fe80::1%eth0`) belongs to addresses of this very machine's links.
    if (!isIPv6(address) || address.includes('%')) return true;
    return !open.check(address, 'ipv6') || closed.check(address, 'ipv6');
  };
}
