import { z } from 'zod';
import { idList, oneOf, parseQuery, waitMs } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

const query = z.object({
  ids: idList,
  mode: oneOf(['any', 'all'], 'Whether one of them must have ended, or all; all by default.').default('all'),
  wait_ms: waitMs,
});

/** Waits for one of several tasks, or for all of them. */
export const wait: Route = {
  method: 'get',
  path: '/api/v1/wait',
  doc: {
    summary:
      'Several tasks as they are; with wait_ms as soon as one, or each, has ended, or then as they are',
    query,
    answers: { 'application/json': 'WaitAnswer' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: async (ctx, req, res) => {
    const { ids, mode, wait_ms } = parseQuery(query, req);
    const answer = await ctx.waiters.poll(res, wait_ms, (wait, signal) =>
      ctx.service.wait(ids, mode, wait, signal),
    );
    if (answer !== undefined) sendJson(res, answer);
  },
};
