import { isIP } from 'node:net';
import type { NextFunction, Request, Response } from 'express';
import { ExecgoError, invalidInput } from '../task/errors.js';

/** The protocol of this server: a page that was loaded over https is of another origin, even if its host is the same. */
const PROTOCOL = 'http:';

/**
 * Lets a request in only if it was meant for this machine. A web page that a user of this machine has open must not be able
 * to run a command by sending requests to localhost, not even under a name of its own that resolves to it.
 * @param names host names that count as this machine's, besides `localhost` and IP addresses
 */
export function door(names: readonly string[]): (req: Request, res: Response, next: NextFunction) => void {
  const known = new Set(['localhost', ...names.map((name) => hostName(name.toLowerCase()))]);
  // Most requests name the same host as the one before.
  let last: string | undefined;
  const isOwn = (host: string) => {
    if (host === last) return true;
    const name = hostName(host.toLowerCase());
    if (!known.has(name) && isIP(name) === 0) return false;
    last = host;
    return true;
  };
  return (req, _res, next) => {
    checkHost(req, isOwn);
    checkOrigin(req);
    next();
  };
}

function checkHost(req: Request, isOwn: (host: string) => boolean): void {
  const { host } = req.headers;
  // A proxy in between may have gone by another of the repeated headers than the one that is checked here.
  if (req.rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length > 1)
    throw invalidInput('host: the header must be given once');
  checkTarget(req);
  if (host === undefined) {
    // Health checks with HTTP/1.0 send no host header; browsers always do.
    if (req.httpVersion === '1.0') return;
    throw invalidInput('host: the header is required');
  }
  if (isOwn(host)) return;
  const name = hostName(host.toLowerCase());
  throw refused(`host "${host}" is not this machine's; start the daemon with --allow-host ${name} if it is`);
}

/** A target with a host in it, as sent to proxies, must name the same host as the header. */
function checkTarget({ originalUrl: url, headers }: Request): void {
  if (url.startsWith('/') || url === '*') return;
  const target = URL.canParse(url) ? new URL(url) : undefined;
  if (target?.protocol !== PROTOCOL || !isSameHost(target, headers.host))
    throw invalidInput('request target: must be a path, or name the host that the host header names');
}

function checkOrigin(req: Request): void {
  const { origin } = req.headers;
  if (origin !== undefined && !isOwnOrigin(origin, req.headers.host))
    throw refused(`requests from the web page ${origin} are not allowed`);
  // Repeated headers are joined by commas.
  const isCrossSite = req.get('sec-fetch-site')?.includes('cross-site') === true;
  if (isCrossSite && !isFollowedLink(req))
    throw refused('requests from web pages of other sites are not allowed');
}

/** A link that a person has clicked opens the answer as a page of its own, which the other page cannot read. */
function isFollowedLink(req: Request): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = req.headers;
  return req.method === 'GET' && mode === 'navigate' && destination === 'document';
}

/** The host without port, brackets of IPv6 and the dot of a full name. */
function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(host);
  if (bracketed !== null) return bracketed[1] ?? '';
  // More than one colon without brackets: an IPv6 address as `--allow-host` may give it.
  if (isIP(host) === 6) return host;
  return host.replace(/:\d*$/, '').replace(/\.$/, '');
}

function isOwnOrigin(origin: string, host: string | undefined): boolean {
  const from = URL.canParse(origin) ? new URL(origin) : undefined;
  return from?.protocol === PROTOCOL && isSameHost(from, host);
}

function isSameHost(url: URL, host: string | undefined): boolean {
  const own = `${PROTOCOL}//${host ?? ''}`;
  return host !== undefined && url.host !== '' && URL.canParse(own) && url.host === new URL(own).host;
}

function refused(why: string): ExecgoError {
  return new ExecgoError('permission_denied', `permission denied: ${why}`);
}
