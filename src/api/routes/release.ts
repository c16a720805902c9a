import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { taskIdOf } from '../query.js';
import { sendEncoded } from '../respond.js';
import type { Route } from '../route.js';

/** Lets a task start that is held. A body is not read, as with a kill. */
export const release: Route = {
  method: 'post',
  path: '/api/v1/tasks/:id/release',
  doc: {
    summary: 'Let a task start that is held; answers its status',
    headers: OWNER_HEADER,
    answers: { 'application/json': 'TaskView' },
    errors: [
      'unsupported_capability',
      'insufficient_resources',
      'permission_denied',
      'not_found',
      'conflict',
      'payload_too_large',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async ({ service }, req, res) => {
    sendEncoded(res, await service.release(taskIdOf(req), ownerOf(req)));
  },
};
