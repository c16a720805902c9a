import { z } from 'zod';
import { parseQuery, wholeNumber, word } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;

const query = z.object({
  limit: wholeNumber({
    description: `Queues a page; ${PAGE_DEFAULT} by default.`,
    min: 1,
    max: PAGE_MAX,
  }).default(PAGE_DEFAULT),
  cursor: word('next_cursor of the page before.').optional(),
});

/** Lists queues, a page at a time. */
export const queues: Route = {
  method: 'get',
  path: '/api/v1/queues',
  doc: {
    summary: 'List the queues that have a rule or tasks, by name',
    query,
    answers: { 'application/json': 'QueuePage' },
    errors: ['invalid_input'],
  },
  handle: ({ service }, req, res) => {
    sendJson(res, service.queues(parseQuery(query, req)));
  },
};
