import { ScheduleRequest } from '../../task/schedules.js';
import { readJson } from '../body.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Makes a schedule. */
export const makeSchedule: Route = {
  method: 'post',
  path: '/api/v1/schedules',
  doc: {
    summary: 'Make a schedule, whose due times submit a task each; answers it',
    body: { ScheduleRequest },
    answers: { 'application/json': 'ScheduleView' },
    errors: [
      'invalid_input',
      'unsupported_capability',
      'insufficient_resources',
      'permission_denied',
      'payload_too_large',
      'unsupported_media_type',
      'conflict',
      'resource_limit_exceeded',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    sendJson(res, await ctx.service.makeSchedule(await readJson(ctx, req, res)));
  },
};
