import { z } from 'zod';
import { CAUSES } from './causes.js';
import { ErrorBody } from './error-body.js';
import { NotificationView } from './notification-view.js';
import { TaskCounts } from './queues.js';
import { count, time } from './schema.js';
import { isTerminal, TASK_STATUSES } from './states.js';

/** How many of the tasks that failed first an answer shows of a group. */
export const FAILURES_SHOWN = 10;

/** How many of the last messages that it was done an answer shows of a group. */
export const NOTICES_SHOWN = 10;

/** A task of a group that has failed. */
export const GroupFailure = z.strictObject({
  task_id: z.string(),
  cause: z.enum(CAUSES),
  exit_code: z.int().optional(),
  exit_signal: z.int().optional(),
  error: ErrorBody.optional(),
  finished_at: time,
});

/** A group as it is now. */
export const GroupView = z.strictObject({
  group: z.string(),
  tenant: z.string().optional(),
  generated_at: time,
  counts: TaskCounts,
  retried: count
    .optional()
    .describe('Ended tasks in whose place another has come: none of the other counts has them'),
  done: z.boolean().describe('None of its tasks waits or runs'),
  max_failures: count.optional().describe('With so many failures the rest is stopped'),
  stopped: z.literal(true).optional().describe('So many have failed'),
  failures: z
    .array(GroupFailure)
    .describe(`The first ${FAILURES_SHOWN} that failed, without those that were run again`),
  notify: z
    .array(
      z.strictObject({
        when: z.array(z.enum(TASK_STATUSES.filter(isTerminal))).optional(),
        to: z.string().describe('Where it goes, without the path'),
        signed: z.boolean(),
      }),
    )
    .optional()
    .describe('Who is told when it is done'),
  notifications: z
    .array(NotificationView)
    .optional()
    .describe(`The last ${NOTICES_SHOWN} messages that it was done, the last first`),
});
export type GroupView = z.output<typeof GroupView>;

export const GroupPage = z.strictObject({
  generated_at: time,
  groups: z.array(GroupView),
  next_cursor: z.string().optional(),
});
export type GroupPage = z.output<typeof GroupPage>;

/** The answer to a kill of a group. */
export const GroupKillAnswer = z.strictObject({
  ...GroupView.shape,
  killed: count.describe('How many waited or ran, and were killed'),
  refused: count.describe('How many were not, as they have another owner'),
});
export type GroupKillAnswer = z.output<typeof GroupKillAnswer>;

/** Which page of the list of groups. */
export interface GroupQuery {
  tenant?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}
