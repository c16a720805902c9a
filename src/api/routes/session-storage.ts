import { parseQuery, waitMs } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';
import { sessionIdOf, sessionQuery } from '../session-query.js';

const query = sessionQuery.extend({ wait_ms: waitMs });
const errors = ['invalid_input', 'not_found', 'conflict', 'session_evicted', 'unavailable'] as const;

/** How much a session keeps. */
export const sessionStorage: Route = {
  method: 'get',
  path: '/api/v1/sessions/:id/storage',
  doc: {
    summary:
      'How much a session keeps, as it was when it was last looked at; where that may be old, it is looked at anew behind the answer',
    query,
    answers: { 'application/json': 'SessionStorage' },
    errors,
  },
  handle: async ({ service, waiters }, req, res) => {
    const id = sessionIdOf(req);
    const { tenant, wait_ms } = parseQuery(query, req);
    const answer = await waiters.poll(res, wait_ms, (wait, signal) =>
      service.sessions.storage(id, { tenant, refresh: false, wait_ms: wait }, signal),
    );
    if (answer !== undefined) sendJson(res, answer);
  },
};

/** Looks at it now. */
export const refreshStorage: Route = {
  method: 'post',
  path: '/api/v1/sessions/:id/storage/refresh',
  doc: {
    summary: 'Look anew at how much a session keeps, and answer it',
    query: sessionQuery,
    answers: { 'application/json': 'SessionStorage' },
    errors: [...errors, 'insufficient_storage'],
  },
  handle: async ({ service }, req, res) => {
    const id = sessionIdOf(req);
    const { tenant } = parseQuery(sessionQuery, req);
    const { signal } = new AbortController();
    sendJson(res, await service.sessions.storage(id, { tenant, refresh: true, wait_ms: 0 }, signal));
  },
};
