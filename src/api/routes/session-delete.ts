import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { oneOf, parseQuery, waitMs } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';
import { sessionIdOf, sessionQuery } from '../session-query.js';

/** How long the ends of its tasks are waited for where nothing is said, in milliseconds. */
const WAIT_DEFAULT_MS = 10_000;

const query = sessionQuery.extend({
  force: oneOf(
    ['true', 'false'],
    'Whether tasks that have not ended are killed; otherwise they keep it from being deleted.',
  ).default('false'),
  wait_ms: waitMs.default(WAIT_DEFAULT_MS),
});

/** Deletes a session with its files. */
export const deleteSession: Route = {
  method: 'delete',
  path: '/api/v1/sessions/:id',
  doc: {
    summary: 'Delete a session with its files',
    query,
    headers: OWNER_HEADER,
    answers: { 'application/json': 'SessionDeleteAnswer' },
    errors: [
      'invalid_input',
      'permission_denied',
      'not_found',
      'conflict',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    const id = sessionIdOf(req);
    const { tenant, force: insists, wait_ms } = parseQuery(query, req);
    const force = insists === 'true';
    const owner = ownerOf(req);
    const answer = await ctx.waiters.poll(res, force ? wait_ms : 0, (wait, signal) =>
      ctx.service.sessions.delete(id, { tenant, owner, force, wait_ms: wait }, signal),
    );
    if (answer !== undefined) sendJson(res, answer);
  },
};
