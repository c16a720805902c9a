import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Answers the capacity, and which task holds how much of it. */
export const resources: Route = {
  method: 'get',
  path: '/api/v1/runtime/resources',
  doc: {
    summary: 'Capacity, and who holds how much of it',
    answers: { 'application/json': 'RuntimeResources' },
    errors: [],
  },
  handle: (ctx, _req, res) => {
    sendJson(res, ctx.service.resources());
  },
};
