import type { LookupAddress } from 'node:dns';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Receiver } from '../task/notify.js';
import type { AllowList } from './allow-list.js';
import type { Lookups } from './lookups.js';

/** What there is to send. */
interface Post {
  url: string;
  receiver: Receiver;
  headers: Readonly<Record<string, string>>;
  body: string;
}

export interface PostOptions {
  allowed: AllowList;
  /** From the name lookup to the last byte of the answer that counts, in milliseconds. */
  timeoutMs: number;
  /** Aborts when the daemon stops. */
  signal: AbortSignal;
  lookups: Lookups;
}

/** What a receiver has answered. */
export interface PostAnswer {
  status: number;
  /** Value of `retry-after`, if it has one. */
  retryAfter: string | undefined;
}

/** It could not be sent, or was not answered. The message says why, in words. */
export class PostError extends Error {
  override readonly name = 'PostError';
}

/**
 * Sends one message, over a connection of its own. Redirects are not followed, and of an answer only its head counts.
 * @throws PostError; the signal's reason when that aborts
 */
export async function post(
  { url, receiver, headers, body }: Post,
  options: PostOptions,
): Promise<PostAnswer> {
  const { allowed, timeoutMs, signal } = options;
  // An address in the place of a name is not looked up.
  if (isIP(receiver.host) === 0 ? !allowed.allows(receiver) : !allowed.mayConnect(receiver, receiver.host))
    throw new PostError(notAllowed(receiver));
  signal.throwIfAborted();
  const found: AddressFound = { isThere: isIP(receiver.host) !== 0 };
  const over = new AbortController();
  const abort = () => {
    over.abort();
  };
  const timer = setTimeout(abort, timeoutMs);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await new Promise<PostAnswer>((resolve, reject) => {
      const request = (receiver.isSecure ? https : http).request(url, {
        method: 'POST',
        headers: {
          ...headers,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'execgo',
        },
        // One that is kept may be closed by the other side at the moment when it is used again.
        agent: false,
        lookup: checkedLookup(receiver, options, found, over.signal),
        signal: over.signal,
      });
      request.on('response', (answer: IncomingMessage) => {
        const { statusCode = 0, headers: told } = answer;
        // What follows is for nobody, and may be without an end.
        answer.destroy();
        resolve({ status: statusCode, retryAfter: told['retry-after'] });
      });
      request.on('error', reject);
      request.end(body);
    });
  } catch (error) {
    signal.throwIfAborted();
    if (over.signal.aborted)
      throw new PostError(
        found.isThere
          ? `no answer within ${timeoutMs} ms`
          : `the name of the host was not looked up within ${timeoutMs} ms`,
      );
    throw error instanceof PostError ? error : new PostError(inWords(error));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** In words, for who has asked for it and for the operator. */
export function notAllowed({ host, port }: Receiver): string {
  const shown = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
  return `${shown} is not among those to whom this daemon may send; its operator allows them with --webhook-allow`;
}

/** Looks a name up for a connection, and gives only addresses to which it may be made: nothing is looked up a second time. */
function checkedLookup(
  receiver: Receiver,
  { allowed, lookups }: PostOptions,
  found: AddressFound,
  signal: AbortSignal,
): LookupFunction {
  return (hostname, options, done) => {
    const give = (addresses: LookupAddress[]) => {
      found.isThere = true;
      const good = addresses.filter(({ address }) => allowed.mayConnect(receiver, address));
      const [first] = good;
      if (first === undefined)
        done(
          new PostError(`${hostname} leads to an address that is not public, and not allowed by itself`),
          [],
        );
      else if (options.all === true) done(null, good);
      else done(null, first.address, first.family);
    };
    lookups.find(hostname, signal).then(give, (error: unknown) => {
      done(error instanceof Error ? error : new Error(String(error)), []);
    });
  };
}

/** Whether the name has been looked up. */
interface AddressFound {
  isThere: boolean;
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed before an answer came',
  EHOSTUNREACH: 'the host is out of reach',
  ENETUNREACH: 'the network is out of reach',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host could not be looked up',
  ETIMEDOUT: 'the connection was not made in time',
  EPIPE: 'the connection was closed before the message was sent',
};

function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Of several addresses each has failed in its own way.
  const first: unknown = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  const code = first instanceof Error && 'code' in first ? String(first.code) : undefined;
  const known = code === undefined ? undefined : WORDS[code];
  return (known ?? `${error.message}${code === undefined ? '' : ` (${code})`}`).slice(0, 300);
}
