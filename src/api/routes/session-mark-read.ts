import { sessionReadMarkSchema } from '../../task/read-mark.js';
import { hasBody, readJson } from '../body.js';
import { parseQuery } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';
import { sessionIdOf, sessionQuery } from '../session-query.js';

/** Writes down that somebody has seen a session. */
export const markSessionRead: Route = {
  method: 'put',
  path: '/api/v1/sessions/:id/read/:reader',
  doc: {
    summary:
      'Say how far a reader has seen a session: as it is, unless the body says another version or event',
    query: sessionQuery,
    body: { SessionReadMarkRequest: sessionReadMarkSchema },
    answers: { 'application/json': 'SessionReadMark' },
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
    const { tenant } = parseQuery(sessionQuery, req);
    const body = hasBody(req) ? await readJson(ctx, req, res) : undefined;
    const reader = String(req.params['reader']);
    sendJson(res, await ctx.service.sessions.markRead(sessionIdOf(req), reader, tenant, body));
  },
};
