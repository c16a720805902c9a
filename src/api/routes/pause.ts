import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { taskIdOf } from '../query.js';
import { sendEncoded } from '../respond.js';
import type { Route } from '../route.js';

/** How long the answer waits until it is done: longer than a supervisor tries to stop what it cannot stop. */
const PATIENCE_MS = 10_000;

/** Stops all processes of a task, and its wall time. A body is not read, as with a kill. */
export const pause = turn('pause', 'Stop a running task, and its wall time; answers its status');

/** Lets a paused task go on. */
export const resume = turn('resume', 'Let a paused task go on; answers its status');

function turn(what: 'pause' | 'resume', summary: string): Route {
  return {
    method: 'post',
    path: `/api/v1/tasks/:id/${what}`,
    doc: {
      summary,
      headers: OWNER_HEADER,
      answers: { 'application/json': 'TaskView' },
      errors: ['permission_denied', 'not_found', 'conflict', 'unavailable', 'insufficient_storage'],
    },
    handle: async (ctx, req, res) => {
      const taskId = taskIdOf(req);
      const owner = ownerOf(req);
      const view = await ctx.waiters.poll(res, PATIENCE_MS, (wait_ms, signal) =>
        ctx.service[what](taskId, { owner, wait_ms }, signal),
      );
      if (view !== undefined) sendEncoded(res, view);
    },
  };
}
