import { lstatSync, rmSync } from 'node:fs';
import { IncomingMessage, ServerResponse, type Server } from 'node:http';
import net from 'node:net';
import type { Express, Request, Response } from 'express';
import { errorHandler, noPath } from './errors.js';
import { createHttpServer, type MessageKinds, type ServerOptions } from './http-server.js';
import type { Waiters } from './waiters.js';

/** How long `stop` waits for answers in progress, in milliseconds. */
const STOP_GRACE_MS = 5_000;

/** Where to listen: an address, a socket that systemd has passed, or a Unix socket with this mode. */
export type ListenAddress =
  { host: string; port: number } | { fd: number } | { socketPath: string; mode: number };

/**
 * Serves `app`.
 * @throws a system error when it cannot listen there (EADDRINUSE, EACCES, …)
 */
export async function listen(app: Express, address: ListenAddress, options: ServerOptions): Promise<Server> {
  const refuse = errorHandler(options.log);
  const server = createHttpServer(
    (req, res) => {
      const [request, response] = [req as Request, res as Response];
      // A target without a path, such as "http://", matches no route and no other handler.
      app(request, response, (error: unknown) => {
        refuse(error ?? noPath(), request, response, () => undefined);
      });
    },
    options,
    messageKinds(app),
  );
  await open(server, address);
  return server;
}

/** Takes an address and gives it back at once; who connects meanwhile is cut off. @throws as {@link listen} does */
export async function tryListening(address: ListenAddress): Promise<void> {
  const server = net.createServer((socket) => socket.destroy());
  await open(server, address);
  await new Promise((resolve) => server.close(resolve));
}

/** @throws a system error */
async function open(server: net.Server, address: ListenAddress): Promise<void> {
  if ('socketPath' in address) await removeStale(address.socketPath);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    bind(server, address);
  });
}

/**
 * Express changes the prototypes of every request and answer, which makes V8 slow. Objects that are made with those
 * prototypes are not changed.
 */
function messageKinds(app: Express): MessageKinds {
  class AppRequest extends IncomingMessage {}
  class AppResponse<R extends IncomingMessage> extends ServerResponse<R> {}
  Object.setPrototypeOf(AppRequest.prototype, app.request);
  Object.setPrototypeOf(AppResponse.prototype, app.response);
  app.request = AppRequest.prototype as Request;
  app.response = AppResponse.prototype as Response;
  return { IncomingMessage: AppRequest, ServerResponse: AppResponse };
}

function bind(server: net.Server, address: ListenAddress): void {
  if ('socketPath' in address) {
    // `listen` makes the socket, with the mode that the present umask leaves.
    const umask = process.umask(0o777 & ~address.mode);
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
  // A regular file would refuse connections too, so its kind is checked first.
  const stat = lstatSync(socketPath, { throwIfNoEntry: false });
  if (stat?.isSocket() !== true || stat.uid !== (process.geteuid?.() ?? stat.uid)) return;
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

/**
 * Stops serving: waiting requests are answered with what there is, streams end, answers in progress get `graceMs`
 * milliseconds. Resolves when no connection is left.
 */
export async function stop(server: Server, waiters: Waiters, graceMs = STOP_GRACE_MS): Promise<void> {
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
