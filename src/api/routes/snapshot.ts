import { z } from 'zod';
import { parseQuery, word } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

const query = z.object({ queue: word('Only of this queue.').optional() });

/** Tells all that matters at one moment. */
export const snapshot: Route = {
  method: 'get',
  path: '/api/v1/snapshot',
  doc: {
    summary:
      'How many tasks wait, run and have ended, and the first of each, at one moment; of all or of one queue',
    query,
    answers: { 'application/json': 'Snapshot' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: ({ service }, req, res) => {
    sendJson(res, service.snapshot(parseQuery(query, req).queue));
  },
};
