import { queueOf } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Takes the rule of a queue away. */
export const deleteQueue: Route = {
  method: 'delete',
  path: '/api/v1/queues/:name',
  doc: {
    summary: 'Delete the rule of a queue; its tasks stay',
    answers: { 'application/json': 'QueueDeleteAnswer' },
    errors: ['not_found', 'unavailable', 'insufficient_storage'],
  },
  handle: async ({ service }, req, res) => {
    const name = queueOf(req);
    await service.deleteQueue(name);
    sendJson(res, { queue: name, deleted: true });
  },
};
