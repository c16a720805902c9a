import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Answers the name, version and process of this daemon. */
export const info: Route = {
  method: 'get',
  path: '/api/v1/runtime/info',
  doc: { summary: 'Who this daemon is', answers: { 'application/json': 'RuntimeInfo' }, errors: [] },
  handle: (ctx, _req, res) => {
    sendJson(res, ctx.service.info());
  },
};
