import { z } from 'zod';
import { ErrorBody } from './error-body.js';
import { count, time } from './schema.js';

export const FOLLOW_UP_STATES = ['pending', 'submitted', 'refused'] as const;

/** A task that was to follow another, and what has become of it. */
export const FollowUpView = z.strictObject({
  state: z
    .enum(FOLLOW_UP_STATES)
    .describe('pending: not yet submitted, as while the queue is full; refused: it never will be'),
  task_id: z.string().optional().describe('Of the task that was submitted'),
  attempts: count.describe('How often it was tried to submit it'),
  settled_at: time.optional(),
  error: ErrorBody.optional().describe('Why it was refused, or not submitted so far'),
});
export type FollowUpView = z.output<typeof FollowUpView>;
