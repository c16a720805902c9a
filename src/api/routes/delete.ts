import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { taskIdOf } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Deletes a terminal task and its files. */
export const deleteTask: Route = {
  method: 'delete',
  path: '/api/v1/tasks/:id',
  doc: {
    summary: 'Delete a terminal task and its files',
    headers: OWNER_HEADER,
    answers: { 'application/json': 'DeleteAnswer' },
    errors: ['permission_denied', 'not_found', 'conflict'],
  },
  handle: async (ctx, req, res) => {
    const taskId = taskIdOf(req);
    await ctx.service.deleteTask(taskId, ownerOf(req));
    sendJson(res, { task_id: taskId, deleted: true });
  },
};
