import type { Express, Request, Response } from 'express';
import type { Logger } from 'pino';
import type { Caller, TaskSide } from '../../runtime/task-side.js';
import { ExecgoError } from '../../task/errors.js';
import { BodyBudget } from '../body-budget.js';
import type { Connections } from '../connections.js';
import { byPath, expressApp } from '../express-app.js';
import { errorHandler, unknownRoute, wrongMethod } from '../errors.js';
import { once } from '../once.js';
import { Pace } from './pace.js';
import type { Waiters } from '../waiters.js';
import { taskRoutes } from './routes.js';

/** How many bytes the bodies of all requests of tasks may hold at once. */
const BODIES_MAX_BYTES = 16_777_216;

export interface TaskAppOptions {
  tasks: TaskSide;
  /** Of execgo itself. */
  version: string;
  log: Logger;
  /** Shared with `stop`, which ends what waits. */
  waiters: Waiters;
  /** Shared with the server, which takes them in. */
  connections: Connections;
}

/**
 * The HTTP side of the task socket, without a server. Nobody is let in without the token of an attempt that runs, and nobody of those asks
 * for more than a task may: whatever a task does here, it harms nobody else.
 */
export function createTaskApp({ tasks, version, log, waiters, connections }: TaskAppOptions): Express {
  const shared = {
    ...{ tasks, waiters, connections, bodies: new BodyBudget(BODIES_MAX_BYTES) },
    specification: once(async () => {
      const [{ specification }, { aboutTasks }] = await Promise.all([
        import('../specification.js'),
        import('./about.js'),
      ]);
      return JSON.stringify(specification(taskRoutes, version, aboutTasks));
    }),
  };
  const pace = new Pace(connections);
  const app = expressApp(waiters);
  // Before the path is looked at: who is not known does not learn which there are.
  app.use(async (req, res, next) => {
    let caller: Caller;
    try {
      caller = tasks.caller(tokenOf(req, res));
    } catch (error) {
      await pace.stranger(res);
      throw error;
    }
    await pace.turn(caller.launch_id, res);
    res.locals['caller'] = caller;
    next();
  });
  for (const [path, methods] of byPath(taskRoutes)) {
    const at = app.route(path);
    for (const route of methods)
      at[route.method]((req, res: Response<unknown, { caller: ReturnType<TaskSide['caller']> }>) =>
        route.handle({ ...shared, caller: res.locals.caller }, req, res),
      );
    at.all(wrongMethod(methods.map(({ method }) => method.toUpperCase())));
  }
  app.use(unknownRoute);
  app.use(errorHandler(log));
  return app;
}

/** @throws ExecgoError `unauthorized` when there is none */
function tokenOf(req: Request, res: Response): string {
  const [, token] = /^Bearer +(\S+) *$/i.exec(req.headers.authorization ?? '') ?? [];
  if (token !== undefined) return token;
  res.setHeader('www-authenticate', 'Bearer');
  throw new ExecgoError(
    'unauthorized',
    'unauthorized: give the EXECGO_TASK_TOKEN of the task that asks, as "authorization: Bearer <token>"',
  );
}
