import { ScheduleEdit } from '../../task/schedules.js';
import { readJson } from '../body.js';
import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { scheduleOf } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Changes a schedule. */
export const editSchedule: Route = {
  method: 'patch',
  path: '/api/v1/schedules/:name',
  doc: {
    summary: 'Change a schedule, by a JSON Merge Patch of the body that made it; answers it',
    headers: OWNER_HEADER,
    body: { ScheduleEdit },
    answers: { 'application/json': 'ScheduleView' },
    errors: [
      'invalid_input',
      'unsupported_capability',
      'insufficient_resources',
      'payload_too_large',
      'unsupported_media_type',
      'conflict',
      'permission_denied',
      'not_found',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    const name = scheduleOf(req);
    const body = await readJson(ctx, req, res);
    sendJson(res, await ctx.service.editSchedule(name, body, ownerOf(req)));
  },
};
