import { z } from 'zod';
import { ErrorBody } from './error-body.js';
import { SubmitAnswer } from './view.js';

/** The answer to a request to run a task again. */
export const RetryAnswer = z.strictObject({
  ...SubmitAnswer.shape,
  retry_of: z.string().describe('The task that it repeats'),
  created: z.boolean().describe('False for one that an earlier request has made'),
});
export type RetryAnswer = z.output<typeof RetryAnswer>;

/** What became of one task of a group that is run again. */
export const GroupRetryItem = z.union([
  RetryAnswer,
  z.strictObject({ retry_of: z.string(), error: ErrorBody }),
]);
export type GroupRetryItem = z.output<typeof GroupRetryItem>;

/** The answer to a request to run again what of a group did not succeed. */
export const GroupRetryAnswer = z.strictObject({
  tasks: z.array(GroupRetryItem),
  next_cursor: z.string().optional().describe('There are more'),
});
export type GroupRetryAnswer = z.output<typeof GroupRetryAnswer>;

/** Which tasks of a group are run again: those that failed, and those that were cancelled because of that. */
export interface GroupRetryQuery {
  tenant?: string | undefined;
  /** Those, too, that were cancelled for another reason. */
  cancelled: boolean;
  limit: number;
  cursor?: string | undefined;
}
