import { z } from 'zod';
import { afterSeq, parseQuery, taskIdOf, wholeNumber } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

const query = z.object({
  after_seq: afterSeq.default(0),
  limit: wholeNumber({ description: 'Most events to answer; all without it.' }).optional(),
});

/** Answers the history of one task. */
export const taskEvents: Route = {
  method: 'get',
  path: '/api/v1/tasks/:id/events',
  doc: {
    summary: 'Events of a task, by seq',
    query,
    answers: { 'application/json': 'Events' },
    errors: ['invalid_input', 'not_found'],
  },
  handle: (ctx, req, res) => {
    const taskId = taskIdOf(req);
    const { after_seq, limit } = parseQuery(query, req);
    sendJson(res, ctx.service.taskEvents(taskId, after_seq, limit));
  },
};
