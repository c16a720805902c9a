import { BlockList, isIPv6 } from 'node:net';

/**
 * IPv4 addresses that lead to no machine on the internet, as in the registry of special purposes: this machine, private networks, the
 * address of a cloud's metadata service, groups of machines, and what is reserved.
 */
const SPECIAL_IPV4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];
/** What is given out for the internet. */
const GLOBAL_IPV6 = ['2000::', 3] as const;
/** Of that: protocols, tunnels that can lead anywhere, and examples. */
const SPECIAL_IPV6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];
/** A translator makes IPv4 of the last 32 bits. */
const NAT64 = ['64:ff9b::', 96] as const;

const special = new BlockList();
const global = new BlockList();
for (const [net, bits] of SPECIAL_IPV4) {
  special.addSubnet(net, bits, 'ipv4');
  special.addSubnet(`${NAT64[0]}${net}`, NAT64[1] + bits, 'ipv6');
}
for (const [net, bits] of SPECIAL_IPV6) special.addSubnet(net, bits, 'ipv6');
for (const [net, bits] of [GLOBAL_IPV6, NAT64]) global.addSubnet(net, bits, 'ipv6');
/** True for an address of a machine on the internet, as opposed to this machine or a network of its own. One of IPv4 in the notation of IPv6 counts as none. */
export function isPublic(address: string): boolean {
  return isIPv6(address)
    ? global.check(address, 'ipv6') && !special.check(address, 'ipv6')
    : !special.check(address, 'ipv4');
}
