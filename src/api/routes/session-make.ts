import { SessionRequest } from '../../task/sessions.js';
import { readJson } from '../body.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Makes a session. */
export const makeSession: Route = {
  method: 'post',
  path: '/api/v1/sessions',
  doc: {
    summary: 'Make a session: a workspace that tasks share, one after another',
    body: { SessionRequest },
    answers: { 'application/json': 'SessionView' },
    errors: [
      'invalid_input',
      'conflict',
      'payload_too_large',
      'unsupported_media_type',
      'resource_limit_exceeded',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    sendJson(res, await ctx.service.sessions.make(await readJson(ctx, req, res)));
  },
};
