import type { Express } from 'express';
import type { Logger } from 'pino';
import type { Service } from '../runtime/service.js';
import { BodyBudget } from './body-budget.js';
import type { Connections } from './connections.js';
import type { ApiContext } from './context.js';
import { door } from './door.js';
import { EventFeed } from './event-feed.js';
import { byPath, expressApp } from './express-app.js';
import { errorHandler, unknownRoute, wrongMethod } from './errors.js';
import { once } from './once.js';
import { routes } from './routes/routes.js';
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
export function createApp(options: AppOptions): Express {
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
    specification: once(async () => {
      const { specification } = await import('./specification.js');
      return JSON.stringify(specification(routes, version));
    }),
  };
  const app = expressApp(waiters);
  app.use(door(options.allowedHosts));
  app.use((req, _res, next) => {
    req.url = oneComponent(req.url);
    next();
  });
  // Fixed paths before those with a parameter in the same place, because the first match answers.
  const paths = [...byPath(routes)].sort(([a], [b]) => Number(a.includes(':')) - Number(b.includes(':')));
  for (const [path, methods] of paths) {
    const at = app.route(path);
    for (const route of methods) at[route.method]((req, res) => route.handle(ctx, req, res));
    // A task may be called as a route is, such as "batch": what that has no method for is the task's.
    const others = paths.filter(([other]) => other !== path && isIn(path, other)).flatMap(([, own]) => own);
    const allowed = [...methods, ...others].map((route) => route.method.toUpperCase());
    const refuse = wrongMethod(allowed);
    at.all((req, res, next) => {
      if (others.some(({ method }) => method === (req.method === 'HEAD' ? 'get' : req.method.toLowerCase())))
        next();
      else refuse(req, res);
    });
  }
  app.use(unknownRoute);
  app.use(errorHandler(log));
  return app;
}

/** The path of a file may be given with its slashes as they are: for the routes it is one component. */
function oneComponent(url: string): string {
  const [, before = '', path = '', query = ''] =
    /^(\/api\/v1\/(?:sessions|tasks)\/[^/?]+\/files\/)([^?]*\/[^?]*)(.*)$/.exec(url) ?? [];
  return before === '' ? url : `${before}${path.replaceAll('/', '%2F')}${query}`;
}

/** True for a path that is an example of one with a parameter. */
function isIn(path: string, other: string): boolean {
  const [parts, pattern] = [path.split('/'), other.split('/')];
  return (
    parts.length === pattern.length &&
    parts.every((part, i) => part === pattern[i] || pattern[i]?.startsWith(':') === true)
  );
}
