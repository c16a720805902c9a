import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Answers which limits and isolation this host can enforce. */
export const capabilities: Route = {
  method: 'get',
  path: '/api/v1/runtime/capabilities',
  doc: {
    summary: 'What this host was seen to be able to do',
    answers: { 'application/json': 'Capabilities' },
    errors: [],
  },
  handle: (ctx, _req, res) => {
    sendJson(res, ctx.service.capabilities());
  },
};
