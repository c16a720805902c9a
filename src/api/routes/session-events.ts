import { afterSeq, eventLimit, eventTypes, parseQuery, waitMs } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';
import { sessionIdOf, sessionQuery } from '../session-query.js';

const query = sessionQuery.extend({
  after_seq: afterSeq.default(0),
  limit: eventLimit,
  wait_ms: waitMs,
  event_type: eventTypes.optional(),
});

/** Answers the events of all tasks of a session. */
export const sessionEvents: Route = {
  method: 'get',
  path: '/api/v1/sessions/:id/events',
  doc: {
    summary: 'Events of all tasks of a session, by seq',
    query,
    answers: { 'application/json': 'EventPage' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: async ({ service, waiters }, req, res) => {
    const id = sessionIdOf(req);
    const { wait_ms, tenant, event_type, ...page } = parseQuery(query, req);
    const answer = await waiters.poll(res, wait_ms, (wait, signal) =>
      service.sessions.events(id, { tenant, event_type, ...page, wait_ms: wait }, signal),
    );
    if (answer !== undefined) sendJson(res, answer);
  },
};
