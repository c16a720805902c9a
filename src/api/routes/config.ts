import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Answers the settings in force. */
export const config: Route = {
  method: 'get',
  path: '/api/v1/runtime/config',
  doc: { summary: 'The settings in force', answers: { 'application/json': 'RuntimeConfig' }, errors: [] },
  handle: (ctx, _req, res) => {
    sendJson(res, ctx.service.config());
  },
};
