import { queueOf } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Tells how a queue is. */
export const queue: Route = {
  method: 'get',
  path: '/api/v1/queues/:name',
  doc: {
    summary: 'A queue: its rule, its tasks by status and lane, and those that are next',
    answers: { 'application/json': 'QueueView' },
    errors: ['not_found'],
  },
  handle: ({ service }, req, res) => {
    sendJson(res, service.queue(queueOf(req)));
  },
};
