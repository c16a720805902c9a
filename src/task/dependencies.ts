import { z } from 'zod';
import type { TerminalStatus } from './states.js';

/** What must become of another task before one may start. */
export const CONDITIONS = ['success', 'failure', 'end'] as const;
export type When = (typeof CONDITIONS)[number];

/** One of the tasks after which a task starts, and how that must have ended. */
export interface Condition {
  task_id: string;
  when: When;
}

/** After how many others a task may start. */
const AFTER_MAX = 1_000;
/** In bytes; ids of the older runtime have up to 255. */
const ID_BYTES = 255;

const named = (what: string) =>
  z
    .string('must be a text')
    .refine((s) => s.trim() !== '', 'must not be empty')
    .refine((s) => Buffer.byteLength(s) <= ID_BYTES, `must have at most ${ID_BYTES} bytes`)
    .describe(what);

const when = z
  .enum(CONDITIONS)
  .nullish()
  .transform((v): When => v ?? 'success')
  .describe(
    'success, by default: it has succeeded; failure: it has failed or was cancelled; end: it has ended, however',
  );

/** A name that an item of a batch has among the others. */
export const refName = named('A name for this item, by which others of the batch start after it');

const byId = z.strictObject(
  { task_id: named('A task that is known'), when },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys' && (issue as { keys?: string[] }).keys?.includes('ref') === true
        ? '"ref" names another item of the same batch: elsewhere give a task_id'
        : undefined,
  },
);

function eachOnce(items: readonly Condition[], ctx: z.RefinementCtx): void {
  const ids = new Set<string>();
  for (const [i, { task_id }] of items.entries()) {
    if (ids.has(task_id))
      ctx.addIssue({ code: 'custom', path: [i, 'task_id'], message: `names task ${task_id} a second time` });
    ids.add(task_id);
  }
}

/** `policy.after` of a task. */
export const afterSchema = z
  .array(byId)
  .max(AFTER_MAX, `must name at most ${AFTER_MAX} tasks`)
  .superRefine(eachOnce);

/** `policy.after` of an item of a batch. */
export const batchAfterSchema = z
  .array(z.union([byId, z.strictObject({ ref: refName, when })]))
  .max(AFTER_MAX);

/** True when a task that ended so lets those start that wait for this. */
export function holds(condition: When, status: TerminalStatus): boolean {
  return condition === 'end' || (condition === 'success') === (status === 'success');
}
