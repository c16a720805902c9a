import { z } from 'zod';
import { parseQuery, wholeNumber, word } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;

const query = z.object({
  limit: wholeNumber({
    description: `Schedules a page; ${PAGE_DEFAULT} by default.`,
    min: 1,
    max: PAGE_MAX,
  }).default(PAGE_DEFAULT),
  cursor: word('next_cursor of the page before.').optional(),
});

/** Lists schedules, a page at a time. */
export const schedules: Route = {
  method: 'get',
  path: '/api/v1/schedules',
  doc: {
    summary: 'List the schedules, by name; of each its last run',
    query,
    answers: { 'application/json': 'SchedulePage' },
    errors: ['invalid_input'],
  },
  handle: ({ service }, req, res) => {
    sendJson(res, service.schedules(parseQuery(query, req)));
  },
};
