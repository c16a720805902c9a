import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { scheduleOf } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Submits the task of a schedule now. A body is not read. */
export const runSchedule: Route = {
  method: 'post',
  path: '/api/v1/schedules/:name/run',
  doc: {
    summary: 'Submit the task of a schedule now, also while it is paused; answers as a submit does',
    headers: OWNER_HEADER,
    answers: { 'application/json': 'SubmitAnswer' },
    errors: [
      'invalid_input',
      'unsupported_capability',
      'insufficient_resources',
      'permission_denied',
      'not_found',
      'conflict',
      'resource_limit_exceeded',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async ({ service }, req, res) => {
    sendJson(res, await service.runSchedule(scheduleOf(req), ownerOf(req)));
  },
};
