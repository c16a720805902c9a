import { BlockList, isIP, isIPv6 } from 'node:net';
import type { Receiver } from '../task/notify.js';
import { isPublic } from './public-address.js';

/** The text of an entry is wrong; the message says how. */
class AllowListError extends Error {
  override readonly name = 'AllowListError';
}

interface Entry {
  /** As {@link Receiver.host}; undefined for a block of addresses. */
  host: string | undefined;
  block: BlockList | undefined;
  /** Undefined: any. */
  port: number | undefined;
}

/** These names mean this machine, wherever they are looked up. */
const isLocalName = (host: string) => host === 'localhost' || host.endsWith('.localhost');

/**
 * To whom messages may go. A name leads to public addresses only, whatever a name server says of it, but where the operator has
 * allowed the address, too. Nobody is allowed by an empty list.
 */
export class AllowList {
  readonly #entries: readonly Entry[];

  /**
   * @param texts each `HOST[:PORT]`, where a host is a name, an address, or a block of addresses such as `10.0.0.0/8`; those of
   *   IPv6 in brackets
   * @throws AllowListError
   */
  constructor(readonly texts: readonly string[]) {
    this.#entries = texts.map(parse);
  }

  /** Whether something may be sent to this receiver, as far as that can be said before it is looked up. */
  allows({ host, port }: Pick<Receiver, 'host' | 'port'>): boolean {
    return this.#entries.some((entry) => isPort(entry, port) && isHost(entry, host));
  }

  /** Whether to connect to an address that a name leads to, or that is in the place of one. */
  mayConnect({ host, port }: Pick<Receiver, 'host' | 'port'>, address: string): boolean {
    if (!this.allows({ host, port })) return false;
    if (isPublic(address)) return true;
    if (isLocalName(host)) return isLoopback(address) || this.#allowsAddress(address, port);
    return this.#allowsAddress(address, port);
  }

  #allowsAddress(address: string, port: number): boolean {
    return this.#entries.some((entry) => isPort(entry, port) && isAddress(entry, address));
  }
}

const isPort = (entry: Entry, port: number) => entry.port === undefined || entry.port === port;

function isHost(entry: Entry, host: string): boolean {
  return isIP(host) === 0 ? entry.host === host : isAddress(entry, host);
}

function isAddress({ block }: Entry, address: string): boolean {
  return block?.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') === true;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

function isLoopback(address: string): boolean {
  return loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** A host with an optional port: a name or IPv4 without brackets, IPv6 within. */
const ENTRY = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/;

function parse(text: string): Entry {
  const wrong = (why: string) => new AllowListError(`"${text.slice(0, 200)}" ${why}`);
  const trimmed = text.trim();
  if (trimmed.includes('://')) throw wrong('is a URL: write HOST or HOST:PORT');
  const [, inBrackets, plain, portText] = ENTRY.exec(trimmed) ?? [];
  const written = inBrackets ?? plain;
  if (written === undefined)
    throw wrong('must be HOST or HOST:PORT, with an address of IPv6 in brackets, such as [::1]:8080');
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port === 0 || port > 65_535)) throw wrong('has no port from 1 to 65535');
  const [address = '', bits, ...more] = written.split('/');
  const family = isIP(address);
  if (family === 0) {
    if (bits !== undefined || inBrackets !== undefined) throw wrong('has no address before the "/"');
    return { host: nameOf(written) ?? fail(wrong('has no name of a host')), block: undefined, port };
  }
  const whole = family === 4 ? 32 : 128;
  const length = bits === undefined ? whole : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
  if (more.length > 0 || !(length >= 1 && length <= whole))
    throw wrong(`must have a length from 1 to ${whole} after the "/"`);
  const block = new BlockList();
  block.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
  return { host: undefined, block, port };
}

/** The name as a URL has it: lower case, other letters than those of ASCII encoded, no dot at the end. */
function nameOf(text: string): string | undefined {
  const url = `http://${text}/`;
  if (/[\s/?#@*]/.test(text) || !URL.canParse(url)) return undefined;
  const { hostname } = new URL(url);
  return isIP(hostname) === 0 ? hostname.replace(/\.$/, '') : undefined;
}

function fail(error: Error): never {
  throw error;
}
