import { ExecgoError } from '../../task/errors.js';
import { NotifyTestRequest } from '../../task/notify-schema.js';
import { readJson } from '../body.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Sends a message to see whether one arrives. */
export const testNotify: Route = {
  method: 'post',
  path: '/api/v1/notify/test',
  doc: {
    summary: 'Send a message to a webhook, once, and answer what has become of it',
    body: { NotifyTestRequest },
    answers: { 'application/json': 'NotifyTestAnswer' },
    errors: [
      'invalid_input',
      'permission_denied',
      'payload_too_large',
      'unsupported_media_type',
      'resource_limit_exceeded',
      'unavailable',
    ],
  },
  handle: async (ctx, req, res) => {
    const body = await readJson(ctx, req, res);
    const signal = ctx.waiters.signal(res);
    try {
      sendJson(res, await ctx.service.testNotify(body, signal));
    } catch (error) {
      if (!signal.aborted) throw error;
      if (!res.closed) throw new ExecgoError('unavailable', 'the daemon is stopping');
    }
  },
};
