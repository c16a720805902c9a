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

/** Says how each part of the daemon is, after reading and writing the storage. */
export const ready: Route = {
  method: 'get',
  path: '/readyz',
  doc: {
    summary:
      'Each part serves: it accepts, the storage, the supervisor, the disk; 503 says which does not, and why',
    answers: { 'application/json': 'Health' },
    errors: ['unavailable'],
  },
  handle: async (ctx, _req, res) => {
    try {
      const parts = await ctx.service.ready();
      sendJson(res, { status: 'ready', version: ctx.version, parts });
    } catch (error) {
      // Probes understand 503, whatever the reason.
      if (error instanceof ExecgoError) throw new ExecgoError('unavailable', error.message, error.details);
      ctx.log.error({ err: error }, 'readiness check failed');
      throw new ExecgoError('unavailable', 'storage does not serve');
    }
  },
};
