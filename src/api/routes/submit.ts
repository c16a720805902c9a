import { z } from 'zod';
import { submitSchema } from '../../task/request.js';
import { readJson } from '../body.js';
import { oneOf, parseQuery } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

const query = z.object({
  dry_run: oneOf(
    ['true', 'false'],
    'Answer plan and reservation, or the refusal, and accept nothing.',
  ).default('false'),
});

/** Accepts a task; with `dry_run` only says what would become of it. */
export const submit: Route = {
  method: 'post',
  path: '/api/v1/tasks',
  doc: {
    summary: 'Submit a task',
    query,
    body: { TaskSubmission: submitSchema },
    answers: { 'application/json': 'SubmitOrDryRunAnswer' },
    errors: [
      'invalid_input',
      'unsupported_capability',
      'insufficient_resources',
      'not_found',
      'conflict',
      'concurrency_conflict',
      'session_ended',
      'session_evicted',
      'payload_too_large',
      'unsupported_media_type',
      'resource_limit_exceeded',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    const { dry_run: dryRun } = parseQuery(query, req);
    const body = await readJson(ctx, req, res);
    sendJson(res, dryRun === 'true' ? ctx.service.dryRun(body) : await ctx.service.submit(body));
  },
};
