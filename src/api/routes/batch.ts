import { z } from 'zod';
import { batchSchema } from '../../task/request.js';
import { readJson } from '../body.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** Most tasks in one batch; the service refuses more. */
const BATCH_MAX_TASKS = 1_000;
/** Room for a thousand requests of 32 KiB, 250 keys and 500 values each. */
const BATCH_BOUNDS = { bytes: 33_554_432, depth: 66, keys: 250_000, values: 500_000 };

/** Accepts many tasks in few transactions. */
export const batch: Route = {
  method: 'post',
  path: '/api/v1/tasks/batch',
  doc: {
    summary: 'Submit up to 1,000 tasks in few transactions; an answer per item, in order',
    body: { BatchSubmission: z.object({ tasks: z.array(batchSchema).max(BATCH_MAX_TASKS) }) },
    answers: { 'application/json': 'BatchAnswer' },
    errors: [
      'invalid_input',
      'payload_too_large',
      'unsupported_media_type',
      'unavailable',
      'insufficient_storage',
    ],
  },
  handle: async (ctx, req, res) => {
    const body = await readJson(ctx, req, res, BATCH_BOUNDS);
    sendJson(res, await ctx.service.submitBatch(body));
  },
};
