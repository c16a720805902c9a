import { SessionEdit } from '../../task/sessions.js';
import { readJson } from '../body.js';
import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { parseQuery } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';
import { sessionIdOf, sessionQuery } from '../session-query.js';

/** Changes a session. */
export const editSession: Route = {
  method: 'patch',
  path: '/api/v1/sessions/:id',
  doc: {
    summary: 'Change what is said of a session, by a JSON Merge Patch; answers the session',
    query: sessionQuery,
    headers: OWNER_HEADER,
    body: { SessionEdit },
    answers: { 'application/json': 'SessionView' },
    errors: [
      'invalid_input',
      'permission_denied',
      'not_found',
      'conflict',
      'session_ended',
      'session_evicted',
      'payload_too_large',
      'unsupported_media_type',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    const id = sessionIdOf(req);
    const { tenant } = parseQuery(sessionQuery, req);
    const body = await readJson(ctx, req, res);
    sendJson(res, await ctx.service.sessions.edit(id, body, { tenant, owner: ownerOf(req) }));
  },
};
