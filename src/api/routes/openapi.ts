import { sendText } from '../respond.js';
import type { Route } from '../route.js';

/** Answers the specification of all routes. */
export const openapi: Route = {
  method: 'get',
  path: '/openapi.json',
  doc: { summary: 'This specification', answers: { 'application/json': undefined }, errors: [] },
  handle: async (ctx, _req, res) => {
    sendText(res, await ctx.specification(), 'application/json');
  },
};
