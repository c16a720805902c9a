import { ExecgoError } from '../../task/errors.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Says that the process is alive. */
export const health: Route = {
  method: 'get',
  path: '/healthz',
  doc: { summary: 'The process lives', answers: { 'application/json': 'Health' }, errors: [] },
  handle: (ctx, _req, res) => {
    sendJson(res, { status: 'ok', version: ctx.version });
  },
};

/** Says that the storage works, after reading and writing it. */
export const ready: Route = {
  method: 'get',
  path: '/readyz',
  doc: { summary: 'The storage serves', answers: { 'application/json': 'Health' }, errors: ['unavailable'] },
  handle: async (ctx, _req, res) => {
    try {
      await ctx.service.ready();
    } catch (error) {
      // Probes understand 503, whatever the reason.
      if (!(error instanceof ExecgoError)) ctx.log.error({ err: error }, 'readiness check failed');
      throw new ExecgoError(
        'unavailable',
        error instanceof ExecgoError ? error.message : 'storage does not serve',
      );
    }
    sendJson(res, { status: 'ready', version: ctx.version });
  },
};
