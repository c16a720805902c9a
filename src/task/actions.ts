import { z } from 'zod';
import { CAUSES } from './causes.js';
import { editSchema } from './edit.js';
import { KILL_REASON_MAX } from './kill-note.js';
import { checkShape } from './shape.js';
import { TASK_STATUSES, type TaskStatus } from './states.js';
import { invalidInputFrom } from './validate.js';
import { ErrorBody } from './error-body.js';
import { count } from './schema.js';

/** What can be done with many tasks at once, and the statuses of those that it can be done with. */
export const BULK_ACTIONS = {
  kill: ['accepted', 'running'],
  delete: ['success', 'failed', 'cancelled'],
  pause: ['running'],
  resume: ['running'],
  edit: ['accepted'],
  release: ['accepted'],
  retry: ['success', 'failed', 'cancelled'],
} as const satisfies Record<string, readonly TaskStatus[]>;
export type BulkAction = keyof typeof BULK_ACTIONS;
const ACTIONS = Object.keys(BULK_ACTIONS) as [BulkAction, ...BulkAction[]];

/** How many tasks one request acts on. */
export const BULK_MAX = 1_000;

const word = z.string().min(1, 'must not be empty');
const instant = z.iso.datetime({ offset: true, error: 'must be a time such as 2026-03-01T10:00:00Z' });

/** What chooses tasks; all that is given must hold. */
const filterSchema = z
  .strictObject({
    status: z.array(z.enum(TASK_STATUSES)).min(1, 'must name a status').optional(),
    cause: z.enum(CAUSES).optional(),
    tenant: word.optional(),
    owner: word.optional(),
    queue: word.optional(),
    lane: word.optional(),
    session_id: word.optional(),
    group: word.optional(),
    label: word.optional().describe('key, or key=value'),
    text: word.optional().describe('Part of the task id or of the command'),
    created_after: instant.optional(),
    created_before: instant.optional(),
    finished_after: instant.optional(),
    finished_before: instant.optional(),
  })
  .refine((filter) => Object.keys(filter).length > 0, {
    error: 'names no condition: for all tasks of a status give status',
  });

/** What is to be done with many tasks. */
export const bulkSchema = z
  .strictObject({
    action: z.enum(ACTIONS, `must be one of ${ACTIONS.join(', ')}`),
    ids: z
      .array(word)
      .min(1, 'must name a task')
      .max(BULK_MAX, `must be at most ${BULK_MAX} ids`)
      .optional()
      .describe('These tasks'),
    filter: filterSchema.optional().describe('Or those that this chooses, of those that it can be done with'),
    limit: z
      .int()
      .min(1)
      .max(BULK_MAX)
      .optional()
      .describe(`With filter: how many at once; ${BULK_MAX} without it`),
    cursor: word.optional().describe('With filter: next_cursor of the answer before'),
    dry_run: z.boolean().optional().describe('Do nothing, check each task and say what would be done'),
    reason: word
      .max(KILL_REASON_MAX, `must have at most ${KILL_REASON_MAX} characters`)
      .optional()
      .describe('kill: why; kept with each task'),
    changes: editSchema.optional().describe('edit: as the body of a PATCH'),
  })
  .check((ctx) => {
    const { action, ids, filter, limit, cursor, reason, changes } = ctx.value;
    const refuse = (field: string, message: string) => {
      ctx.issues.push({ code: 'custom', message, path: [field], input: ctx.value });
    };
    if (ids === undefined && filter === undefined) refuse('ids', 'is required, or filter');
    if (ids !== undefined && filter !== undefined) refuse('filter', 'does not go with ids');
    if (ids !== undefined && limit !== undefined) refuse('limit', 'goes with filter only');
    if (ids !== undefined && cursor !== undefined) refuse('cursor', 'goes with filter only');
    if (reason !== undefined && action !== 'kill') refuse('reason', 'goes with the action kill only');
    if (action === 'edit' && changes === undefined) refuse('changes', 'is required for edit');
    if (action !== 'edit' && changes !== undefined) refuse('changes', 'goes with the action edit only');
    const fits: readonly TaskStatus[] = BULK_ACTIONS[action];
    if (filter?.status?.some((status) => !fits.includes(status)) === true)
      refuse('filter.status', `must be some of ${fits.join(', ')}: others cannot be chosen for ${action}`);
  });

/** What a client may send. */
export type BulkRequest = z.input<typeof bulkSchema>;

/** @throws ExecgoError `invalid_input`, naming the first wrong field; `details` lists all of them */
export function validateBulk(body: unknown): BulkRequest {
  checkShape(body);
  const parsed = bulkSchema.safeParse(body);
  if (!parsed.success) throw invalidInputFrom(parsed.error);
  // As with an edit: what a schema makes of an absent field must not take the place of what there is.
  return body as BulkRequest;
}

/** What became of one task. */
export const BulkItem = z.union([
  z.strictObject({
    task_id: z.string(),
    status: z.enum(TASK_STATUSES).optional().describe('Afterwards; absent once it is deleted'),
    version: count.optional(),
    deleted: z.literal(true).optional(),
    retried_as: z
      .string()
      .optional()
      .describe('retry: the task that repeats it; with dry_run only one that there is already'),
    created: z.boolean().optional().describe('retry: false for a task that an earlier request has made'),
  }),
  z.strictObject({ task_id: z.string(), error: ErrorBody }),
]);
export type BulkItem = z.output<typeof BulkItem>;

/** The answer for many tasks. */
export const BulkAnswer = z.strictObject({
  action: z.enum(ACTIONS),
  dry_run: z.boolean(),
  items: z.array(BulkItem).describe('In the order of ids; with a filter newest first'),
  done: count.describe('How many of them were done, or would be'),
  refused: count,
  next_cursor: z.string().optional().describe('With a filter: there are more'),
});
export type BulkAnswer = z.output<typeof BulkAnswer>;
