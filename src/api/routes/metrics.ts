import { sendText } from '../respond.js';
import type { Route } from '../route.js';

const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Answers the counters for Prometheus. */
export const metrics: Route = {
  method: 'get',
  path: '/metrics',
  doc: { summary: 'Prometheus metrics', answers: { 'text/plain': undefined }, errors: [] },
  handle: async (ctx, _req, res) => {
    sendText(res, await ctx.service.metrics(), PROMETHEUS_TYPE);
  },
};
