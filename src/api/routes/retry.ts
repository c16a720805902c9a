import { z } from 'zod';
import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { oneOf, parseQuery, taskIdOf } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';
import { submit } from './submit.js';

const query = z.object({
  again: oneOf(['true', 'false'], 'Also when another task has come in its place before.').default('false'),
});

/** Runs a task again, as a new one. A body is not read. */
export const retry: Route = {
  method: 'post',
  path: '/api/v1/tasks/:id/retry',
  doc: {
    summary:
      'Run a task that has ended again, as a new one with the same request; once, however often it is asked',
    query,
    headers: OWNER_HEADER,
    answers: { 'application/json': 'RetryAnswer' },
    errors: [
      ...submit.doc.errors.filter((code) => code !== 'unsupported_media_type'),
      'permission_denied',
      'not_found',
    ],
  },
  handle: async ({ service }, req, res) => {
    const { again } = parseQuery(query, req);
    sendJson(res, await service.retry(taskIdOf(req), { owner: ownerOf(req), again: again === 'true' }));
  },
};
