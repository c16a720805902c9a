import express from 'express';
import type { Logger } from 'pino';
import type { Service } from '../runtime/service.js';
import { BodyBudget } from './body-budget.js';
import type { Connections } from './connections.js';
import type { ApiContext } from './context.js';
import { door } from './door.js';
import { EventFeed } from './event-feed.js';
import { errorHandler, unknownRoute, wrongMethod } from './errors.js';
import type { Route } from './route.js';
import { routes } from './routes.js';
import { specification } from './specification.js';
import type { Waiters } from './waiters.js';

/** Comments in a silent stream keep proxies from closing it; most wait 30 s or longer. */
const HEARTBEAT_MS = 15_000;

export interface AppOptions {
  service: Service;
  /** Of execgo itself. */
  version: string;
  /** Host names that count as this machine's: its own name and what `--allow-host` gives. */
  allowedHosts: readonly string[];
  log: Logger;
  /** Shared with `stop`, which ends what waits. */
  waiters: Waiters;
  /** Shared with the server, which takes them in. */
  connections: Connections;
  /** How many bytes the bodies of all requests may hold at once. */
  maxBodyBytes: number;
  /** How long a body may be coming before it leaves for others, in milliseconds; 10,000 by default. */
  bodyPatienceMs?: number | undefined;
  /** From one comment to the next in a silent stream, in milliseconds; 15,000 by default. */
  heartbeatMs?: number | undefined;
}

/** The HTTP side of a daemon, without a server. */
export function createApp(options: AppOptions): express.Express {
  const { service, version, log, waiters, connections } = options;
  const ctx: ApiContext = {
    service,
    version,
    log,
    feed: new EventFeed(service),
    waiters,
    connections,
    bodies: new BodyBudget(options.maxBodyBytes, options.bodyPatienceMs),
    heartbeatMs: options.heartbeatMs ?? HEARTBEAT_MS,
    specification: once(() => JSON.stringify(specification(routes, version))),
  };
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('strict routing');
  app.enable('case sensitive routing');
  app.use((req, res, next) => {
    // Kept connections end with their answer once the daemon stops.
    if (waiters.stopping) res.shouldKeepAlive = false;
    res.once('close', () => {
      if (waiters.stopping) req.socket.destroySoon();
    });
    next();
  });
  app.use(door(options.allowedHosts));
  for (const [path, methods] of byPath()) {
    const at = app.route(path);
    for (const route of methods) at[route.method]((req, res) => route.handle(ctx, req, res));
    at.all(wrongMethod(methods.map((route) => route.method.toUpperCase())));
  }
  app.use(unknownRoute);
  app.use(errorHandler(log));
  return app;
}

/** Fixed paths before those with a parameter in the same place, because the first match answers. */
function byPath(): [path: string, routes: Route[]][] {
  const paths = new Map<string, Route[]>();
  for (const route of routes) paths.set(route.path, [...(paths.get(route.path) ?? []), route]);
  return [...paths].sort(([a], [b]) => Number(a.includes(':')) - Number(b.includes(':')));
}

/** What is the same for the life of a daemon, made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
