import { bulkSchema } from '../../task/actions.js';
import { readJson } from '../body.js';
import { OWNER_HEADER, ownerOf } from '../owner-header.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

/** How long the answer may take. What is not done by then is left, and the answer is an error. */
const PATIENCE_MS = 60_000;

/** Does one thing with many tasks. */
export const actions: Route = {
  method: 'post',
  path: '/api/v1/tasks/actions',
  doc: {
    summary:
      'Kill, delete, pause, resume or edit many tasks, named or chosen by conditions, with an answer for each',
    headers: OWNER_HEADER,
    body: { BulkRequest: bulkSchema },
    answers: { 'application/json': 'BulkAnswer' },
    errors: ['invalid_input', 'payload_too_large', 'unsupported_media_type', 'unavailable'],
  },
  handle: async (ctx, req, res) => {
    const body = await readJson(ctx, req, res);
    const owner = ownerOf(req);
    sendJson(res, await ctx.service.actions(body, owner, AbortSignal.timeout(PATIENCE_MS)));
  },
};
