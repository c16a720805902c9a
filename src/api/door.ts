import { isIP } from 'node:net';
import type { NextFunction, Request, Response } from 'express';
import { ExecgoError, invalidInput } from '../task/errors.js';

/** What this server speaks: a page that came over https is not one of its own, though its host is the same. */
const PROTOCOL = 'http:';

/**
 * Lets a request in only when it was meant for this machine: a web page that a user of this machine has open must not
 * be able to run a command by talking to localhost, also not under a name of its own that resolves to it.
 * @param names host names that count as this machine's, beside `localhost` and IP literals
 */
export function door(names: readonly string[]): (req: Request, res: Response, next: NextFunction) => void {
  const known = new Set(['localhost', ...names.map((name) => hostName(name.toLowerCase()))]);
  return (req, _res, next) => {
    checkHost(req, known);
    checkOrigin(req);
    next();
  };
}

function checkHost(req: Request, known: ReadonlySet<string>): void {
  const { host } = req.headers;
  // Whoever passed the request on may have gone by another of them than is looked at here.
  if (req.rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length > 1)
    throw invalidInput('host: the header must be given once');
  checkTarget(req);
  if (host === undefined) {
    // Health checks of HTTP/1.0 send none; no browser leaves it out.
    if (req.httpVersion === '1.0') return;
    throw invalidInput('host: the header is required');
  }
  const name = hostName(host.toLowerCase());
  if (known.has(name) || isIP(name) !== 0) return;
  throw refused(`host "${host}" is not this machine's; start the daemon with --allow-host ${name} if it is`);
}

/** A target that names a host of its own, as proxies are sent, must name the one that the header does. */
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
  // Repeated headers come as one, joined by commas.
  const isCrossSite = req.get('sec-fetch-site')?.includes('cross-site') === true;
  if (isCrossSite && !isFollowedLink(req))
    throw refused('requests from web pages of other sites are not allowed');
}

/** A link that a person has clicked opens the page as its own document, which the other page cannot read. */
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
