import { editSchema } from '../../task/edit.js';
import { readJson } from '../body.js';
import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { taskIdOf } from '../query.js';
import { sendEncoded } from '../respond.js';
import type { Route } from '../route.js';

/** Changes a task that waits. */
export const edit: Route = {
  method: 'patch',
  path: '/api/v1/tasks/:id',
  doc: {
    summary: 'Change a task that waits, by a JSON Merge Patch of its request; answers its status',
    headers: OWNER_HEADER,
    body: { TaskEdit: editSchema },
    answers: { 'application/json': 'TaskView' },
    errors: [
      'invalid_input',
      'unsupported_capability',
      'insufficient_resources',
      'permission_denied',
      'not_found',
      'conflict',
      'payload_too_large',
      'unsupported_media_type',
      'resource_limit_exceeded',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    const taskId = taskIdOf(req);
    const body = await readJson(ctx, req, res);
    sendEncoded(res, await ctx.service.edit(taskId, body, ownerOf(req)));
  },
};
