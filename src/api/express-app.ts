import express from 'express';
import type { RouteOf } from './route.js';
import type { Waiters } from './waiters.js';

/** An application without routes. Once the daemon stops, kept connections end with their answer. */
export function expressApp(waiters: Waiters): express.Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('strict routing');
  app.enable('case sensitive routing');
  app.use((req, res, next) => {
    if (waiters.stopping) res.shouldKeepAlive = false;
    res.once('close', () => {
      if (waiters.stopping) req.socket.destroySoon();
    });
    next();
  });
  return app;
}

/** The routes of each path, in their order. */
export function byPath<R extends Pick<RouteOf<never>, 'path'>>(routes: readonly R[]): Map<string, R[]> {
  const paths = new Map<string, R[]>();
  for (const route of routes) paths.set(route.path, [...(paths.get(route.path) ?? []), route]);
  return paths;
}
