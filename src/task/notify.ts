import { CAUSES, type Cause } from './causes.js';
import { isTerminal, TASK_STATUSES, type TerminalStatus } from './states.js';

/** How many messages an end may cause by one list. */
export const NOTIFY_MAX = 10;

/** The words that say at which ends: a status, or why it ended. `cancelled` is both, and means the same. */
export const END_WORDS = [...new Set([...TASK_STATUSES.filter(isTerminal), ...CAUSES])] as const;
export type EndWord = TerminalStatus | Cause;

/** Where a message goes: see `notify-schema.ts`. */
export interface Webhook {
  url: string;
  /** The name of the secret that it is signed with; undefined: it is not signed. */
  secret_ref?: string | undefined;
}

/** One entry of `policy.notify`, or of what a queue says. */
export interface Notify {
  /** Undefined: at any end. */
  when?: EndWord[] | undefined;
  webhook: Webhook;
}

/** One entry of `policy.group_notify`. */
export interface GroupNotify {
  /** Undefined: however the group has gone. */
  when?: TerminalStatus[] | undefined;
  webhook: Webhook;
}

/** Whether words like these stand for this end. */
export function isMeant(
  when: readonly EndWord[] | undefined,
  { status, cause }: { status: TerminalStatus; cause: Cause },
): boolean {
  return when === undefined || when.includes(status) || when.includes(cause);
}

/** Whom a URL names. */
export interface Receiver {
  /** In lower case; an IPv6 address without its brackets. */
  host: string;
  port: number;
  isSecure: boolean;
  /** Without the path, which may be a secret: `https://example.com:8443`. */
  origin: string;
}

/** In bytes. */
const URL_BYTES = 2048;

/** @returns the receiver that a URL names, or in words what is wrong with the URL */
export function receiverOf(url: string): Receiver | string {
  if (Buffer.byteLength(url) > URL_BYTES) return `must have at most ${URL_BYTES} bytes`;
  if (!URL.canParse(url)) return 'must be a URL, such as "https://example.com/hook"';
  const { protocol, hostname, port, username, password, hash, origin } = new URL(url);
  if (protocol !== 'https:' && protocol !== 'http:') return 'must begin with https:// or http://';
  if (username !== '' || password !== '') return 'must hold no user and no password';
  if (hash !== '') return 'must hold no "#": what comes after it is never sent';
  const isSecure = protocol === 'https:';
  const host = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  return { host, port: port === '' ? (isSecure ? 443 : 80) : Number(port), isSecure, origin };
}

/** Where a URL leads, without its path. Empty for one that names nobody. */
export function originOf(url: string): string {
  const receiver = receiverOf(url);
  return typeof receiver === 'string' ? '' : receiver.origin;
}
