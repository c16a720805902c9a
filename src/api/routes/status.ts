import { z } from 'zod';
import { oneOf, parseQuery, taskIdOf, waitMs } from '../query.js';
import { sendEncoded } from '../respond.js';
import type { Route } from '../route.js';

const query = z.object({
  wait_ms: waitMs,
  tree: oneOf(['true', 'false'], 'With its children, and theirs.').optional(),
});

/** Answers the status of a task, at once or when it has ended. */
export const status: Route = {
  method: 'get',
  path: '/api/v1/tasks/:id',
  doc: {
    summary: 'Status of a task; with wait_ms as soon as it is terminal, or then as it is',
    query,
    answers: { 'application/json': 'TaskView' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: async (ctx, req, res) => {
    const taskId = taskIdOf(req);
    const { wait_ms, tree } = parseQuery(query, req);
    const view = await ctx.waiters.poll(res, wait_ms, (wait, signal) =>
      ctx.service.status(taskId, { wait_ms: wait, tree: tree === 'true' }, signal),
    );
    if (view !== undefined) sendEncoded(res, view);
  },
};
