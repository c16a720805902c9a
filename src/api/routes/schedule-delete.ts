import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { scheduleOf } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Deletes a schedule. */
export const deleteSchedule: Route = {
  method: 'delete',
  path: '/api/v1/schedules/:name',
  doc: {
    summary: 'Delete a schedule with its history; its tasks stay, and go on',
    headers: OWNER_HEADER,
    answers: { 'application/json': 'ScheduleDeleteAnswer' },
    errors: ['permission_denied', 'not_found', 'unavailable', 'insufficient_storage'],
  },
  handle: async ({ service }, req, res) => {
    const name = scheduleOf(req);
    await service.deleteSchedule(name, ownerOf(req));
    sendJson(res, { name, deleted: true });
  },
};
