import { parseQuery } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';
import { sessionIdOf, sessionQuery } from '../session-query.js';

/** Shows one session. */
export const session: Route = {
  method: 'get',
  path: '/api/v1/sessions/:id',
  doc: {
    summary: 'A session: its state, what was said of it, and counts of its tasks',
    query: sessionQuery,
    answers: { 'application/json': 'SessionView' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: ({ service }, req, res) => {
    sendJson(res, service.sessions.view(sessionIdOf(req), parseQuery(sessionQuery, req).tenant));
  },
};
