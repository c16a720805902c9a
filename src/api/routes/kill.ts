import { z } from 'zod';
import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { KILL_REASON_MAX } from '../../task/kill-note.js';
import { oneOf, parseQuery, taskIdOf, waitMs, wholeNumber, word } from '../query.js';
import { sendEncoded } from '../respond.js';
import type { Route } from '../route.js';

/** The highest signal number of Linux. */
const SIGNAL_MAX = 64;

/** The longest time to let a task end after the first signal, in milliseconds: a day. */
const GRACE_MAX_MS = 86_400_000;

/** How a kill is done. */
export const killQuery = z.object({
  signal: wholeNumber({
    description: 'Number of the first signal; 15 (TERM) by default.',
    min: 1,
    max: SIGNAL_MAX,
  }).optional(),
  grace_ms: wholeNumber({
    description:
      "Milliseconds from the first signal to KILL; the daemon's own by default. The task's wall time goes on.",
    max: GRACE_MAX_MS,
  }).optional(),
  reason: word('Why, in words; kept with the task.')
    .max(KILL_REASON_MAX, `must have at most ${KILL_REASON_MAX} characters`)
    .optional(),
  wait_ms: waitMs,
});

const query = killQuery.extend({
  children: oneOf(
    ['true', 'false'],
    'Kill its children, too, and theirs, whether it has ended or not.',
  ).optional(),
});

/** Cancels a task. A body is not read: existing clients send neither one nor a content type. */
export const kill: Route = {
  method: 'post',
  path: '/api/v1/tasks/:id/kill',
  doc: {
    summary: 'Cancel a task; answers its status',
    query,
    headers: OWNER_HEADER,
    answers: { 'application/json': 'TaskView' },
    errors: ['invalid_input', 'permission_denied', 'not_found'],
  },
  handle: async (ctx, req, res) => {
    const taskId = taskIdOf(req);
    const { signal: first, grace_ms, wait_ms, children, reason } = parseQuery(query, req);
    const owner = ownerOf(req);
    const view = await ctx.waiters.poll(res, wait_ms, (wait, signal) =>
      ctx.service.kill(
        taskId,
        {
          owner,
          reason,
          signal: first,
          grace_ms,
          wait_ms: wait,
          children: children === 'true' ? true : undefined,
        },
        signal,
      ),
    );
    if (view !== undefined) sendEncoded(res, view);
  },
};
