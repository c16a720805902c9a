import { scheduleOf } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Tells how a schedule is. */
export const schedule: Route = {
  method: 'get',
  path: '/api/v1/schedules/:name',
  doc: {
    summary: 'A schedule: what holds of it, its next due times, and what became of the last ones',
    answers: { 'application/json': 'ScheduleView' },
    errors: ['not_found'],
  },
  handle: ({ service }, req, res) => {
    sendJson(res, service.schedule(scheduleOf(req)));
  },
};
