import { z } from 'zod';
import { invalidInput } from '../../task/errors.js';
import { instant, oneOf, parseQuery, wholeNumber } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';

const query = z.strictObject({
  finished_before: instant('Tasks that ended earlier than this: RFC 3339.').optional(),
  older_than_ms: wholeNumber({
    description: 'Or tasks that ended so many milliseconds ago or earlier.',
  }).optional(),
  older_than_secs: wholeNumber({ description: 'Or so many seconds.' }).optional(),
  dry_run: oneOf(['true', 'false'], 'Delete nothing, say what would be deleted.').optional(),
});

/** Deletes what ended before some time. */
export const deleteHistory: Route = {
  method: 'delete',
  path: '/api/v1/tasks',
  doc: {
    summary: 'Delete all tasks that ended before a time, or so long ago, with their files; pinned ones stay',
    query,
    answers: { 'application/json': 'GcReport' },
    errors: ['invalid_input', 'unavailable', 'insufficient_storage'],
  },
  handle: async (ctx, req, res) => {
    const {
      finished_before: before,
      older_than_ms: ms,
      older_than_secs: secs,
      dry_run,
    } = parseQuery(query, req);
    const ages = [
      before === undefined ? undefined : Math.max(0, Date.now() - before),
      ms,
      secs && secs * 1000,
    ];
    const given = ages.filter((age) => age !== undefined);
    if (given.length !== 1)
      throw invalidInput(
        'finished_before: give it, or older_than_ms, or older_than_secs, and only one of them',
      );
    if (before !== undefined && before > Date.now()) throw invalidInput('finished_before: is in the future');
    sendJson(res, await ctx.service.gc({ older_than_ms: given[0], dry_run: dry_run === 'true' }));
  },
};
