import { taskIdOf } from '../query.js';
import { sendEncoded } from '../respond.js';
import type { Route } from '../route.js';

/** Answers the request of a task, as the client sent it. */
export const request: Route = {
  method: 'get',
  path: '/api/v1/tasks/:id/request',
  doc: {
    summary: 'The request of a task as it was sent, values of environment variables included',
    answers: { 'application/json': 'Request' },
    errors: ['not_found'],
  },
  handle: (ctx, req, res) => {
    sendEncoded(res, ctx.service.request(taskIdOf(req)));
  },
};
