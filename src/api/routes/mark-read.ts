import { readMarkSchema } from '../../task/read-mark.js';
import { hasBody, readJson } from '../body.js';
import { taskIdOf } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Writes down that somebody has seen a task. */
export const markRead: Route = {
  method: 'put',
  path: '/api/v1/tasks/:id/read/:reader',
  doc: {
    summary:
      'Say up to which version a reader has seen a task: the present one, unless the body says another',
    body: { ReadMarkRequest: readMarkSchema },
    answers: { 'application/json': 'ReadMark' },
    errors: [
      'invalid_input',
      'not_found',
      'payload_too_large',
      'unsupported_media_type',
      'resource_limit_exceeded',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    const body = hasBody(req) ? await readJson(ctx, req, res) : undefined;
    sendJson(res, await ctx.service.markRead(taskIdOf(req), String(req.params['reader']), body));
  },
};
