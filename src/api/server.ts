import { lstatSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { Express } from 'express';
import { invalidInput } from '../task/errors.js';
import type { Waiters } from './waiters.js';

/** Long enough that a client's connections outlive a restart's pause between two of its polls. */
const KEEP_ALIVE_MS = 120_000;
/** Must be above {@link KEEP_ALIVE_MS}: node counts it from the last answer on a kept connection. */
const HEADERS_TIMEOUT_MS = KEEP_ALIVE_MS + 5_000;
/** After this long of silence the kernel begins to ask whether the peer is still there. */
const TCP_PROBE_MS = 30_000;
/** How long `stop` lets answers in progress take. */
const STOP_GRACE_MS = 5_000;

/** Where to listen: an address, a socket that somebody passed (systemd), or a Unix socket for this user alone. */
export type ListenAddress = { host: string; port: number } | { fd: number } | { socketPath: string };

/**
 * Serves `app`.
 * @throws a system error when that address cannot be had (EADDRINUSE, EACCES, …)
 */
export async function listen(app: Express, address: ListenAddress): Promise<http.Server> {
  const server = http.createServer({
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelay: TCP_PROBE_MS,
    // The door refuses it, in the form that all refusals have.
    requireHostHeader: false,
  });
  server.on('request', app);
  server.on('checkContinue', (req: http.IncomingMessage, res: http.ServerResponse) => {
    // Until the body is asked for, it may or may not follow: the connection cannot be used again.
    res.shouldKeepAlive = false;
    app(req, res);
  });
  server.on('checkExpectation', (req: http.IncomingMessage, res: http.ServerResponse) => {
    delete req.headers.expect;
    app(req, res);
  });
  server.on('clientError', refuseGarbage);
  if ('socketPath' in address) await removeStale(address.socketPath);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    bind(server, address);
  });
  return server;
}

function bind(server: http.Server, address: ListenAddress): void {
  if ('socketPath' in address) {
    // The socket is bound inside `listen`, with the rights that the umask of that moment leaves.
    const umask = process.umask(0o177);
    try {
      server.listen(address.socketPath);
    } finally {
      process.umask(umask);
    }
  } else if ('fd' in address) server.listen({ fd: address.fd });
  else server.listen(address.port, address.host);
}

/** Removes a Unix socket on which nobody listens any more. */
async function removeStale(socketPath: string): Promise<void> {
  // Connecting to a file of another kind is refused, too.
  if (lstatSync(socketPath, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const code = await new Promise<string | undefined>((resolve) => {
    const probe = net.connect(socketPath, () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code);
    });
  });
  if (code === 'ECONNREFUSED') rmSync(socketPath, { force: true });
}

/** Answers what is not HTTP as other bad input is answered. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const body = JSON.stringify({ error: invalidInput(`request: ${error.message}`).toBody() });
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `connection: close\r\n\r\n${body}`,
  );
}

/**
 * Stops serving: what waits is answered as it is, streams end, answers in progress get `graceMs` milliseconds.
 * Resolves when no connection is left.
 */
export async function stop(server: http.Server, waiters: Waiters, graceMs = STOP_GRACE_MS): Promise<void> {
  waiters.stop();
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  const force = setTimeout(() => {
    server.closeAllConnections();
  }, graceMs);
  await closed;
  clearTimeout(force);
}
