import { z } from 'zod';
import { CAUSES } from '../../task/causes.js';
import { TASK_STATUSES } from '../../task/states.js';
import { oneOf, parseQuery, wholeNumber, word } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

const PAGE_DEFAULT = 100;
const PAGE_MAX = 1_000;

const statuses = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => [given].flat().flatMap((s) => s.split(',')))
  .pipe(z.array(z.enum(TASK_STATUSES, `must be some of ${TASK_STATUSES.join(', ')}`)))
  .meta({
    type: 'string',
    anyOf: undefined,
    description: `Some of ${TASK_STATUSES.join(', ')}: separated by commas, or given several times.`,
  });

const query = z.object({
  status: statuses.optional(),
  cause: oneOf([...CAUSES], 'Why it ended.').optional(),
  tenant: word('Exact tenant.').optional(),
  owner: word('Exact owner.').optional(),
  queue: word('Exact queue.').optional(),
  lane: word('Exact lane.').optional(),
  session_id: word('Exact session.').optional(),
  label: word('key, or key=value.').optional(),
  text: word('Part of the task id or of the command.').optional(),
  order: oneOf(['newest', 'oldest'], 'Which come first.').default('newest'),
  limit: wholeNumber({
    description: `Tasks a page; ${PAGE_DEFAULT} by default.`,
    min: 1,
    max: PAGE_MAX,
  }).default(PAGE_DEFAULT),
  cursor: word('next_cursor of the page before.').optional(),
});

/** Lists tasks, a page at a time. */
export const list: Route = {
  method: 'get',
  path: '/api/v1/tasks',
  doc: {
    summary: 'List tasks, newest first by default; all given conditions hold at once',
    query,
    answers: { 'application/json': 'TaskPage' },
    errors: ['invalid_input'],
  },
  handle: async (ctx, req, res) => {
    const asked = parseQuery(query, req);
    const gone = new AbortController();
    res.once('close', () => {
      gone.abort();
    });
    try {
      sendJson(res, await ctx.service.list(asked, gone.signal));
    } catch (error) {
      if (!gone.signal.aborted) throw error;
    }
  },
};
