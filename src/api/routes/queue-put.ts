import { QueueRuleRequest } from '../../task/queues.js';
import { readJson } from '../body.js';
import { queueOf } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Sets the rule of a queue. */
export const putQueue: Route = {
  method: 'put',
  path: '/api/v1/queues/:name',
  doc: {
    summary: 'Set the rule of a queue, in the place of the one that it has; answers the queue',
    body: { QueueRuleRequest },
    answers: { 'application/json': 'QueueView' },
    errors: [
      'invalid_input',
      'payload_too_large',
      'unsupported_media_type',
      'conflict',
      'resource_limit_exceeded',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    sendJson(res, await ctx.service.putQueue(queueOf(req), await readJson(ctx, req, res)));
  },
};
