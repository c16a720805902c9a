import { z } from 'zod';
import { hasNoField, optional } from './fields.js';
import { isTaskId } from './ids.js';
import { END_WORDS, NOTIFY_MAX, receiverOf, type EndWord } from './notify.js';
import { isTerminal, TASK_STATUSES } from './states.js';

/** At which ends something is done. */
export const endWords = optional(
  z.array(z.enum(END_WORDS as [EndWord, ...EndWord[]])).min(1, 'must name a status or a cause'),
).describe('Only at an end with one of these statuses or causes; without it at any');

/** How a group must have gone. */
const groupWords = optional(
  z.array(z.enum(TASK_STATUSES.filter(isTerminal))).min(1, 'must name a status'),
).describe(
  'Only when the group has gone so: failed where a task of it has failed, else cancelled where one was, else success; without it always',
);

/** A name of a file in a directory: what a task id may be. */
const secretName = z
  .string()
  .refine(isTaskId, 'must be 1 to 128 letters, digits, "-", "_" or ".", and not "." or ".."');

const webhookSchema = z.strictObject(
  {
    url: z
      .string()
      .superRefine((url, ctx) => {
        const receiver = receiverOf(url);
        if (typeof receiver === 'string') ctx.addIssue({ code: 'custom', message: receiver });
      })
      .describe('https:// or http://, to a host that the operator allows'),
    secret_ref: optional(secretName).describe(
      'The name of the secret of the operator that signs the messages; without it they are not signed',
    ),
  },
  hasNoField,
);

/** `policy.notify` of a request, and `notify` of a queue. */
export const notifySchema = z
  .array(z.strictObject({ when: endWords, webhook: webhookSchema }, hasNoField))
  .max(NOTIFY_MAX, `must have at most ${NOTIFY_MAX} entries`);

/** `policy.group_notify` of a request. */
export const groupNotifySchema = z
  .array(z.strictObject({ when: groupWords, webhook: webhookSchema }, hasNoField))
  .max(NOTIFY_MAX, `must have at most ${NOTIFY_MAX} entries`);

/** The body that asks for a message to see whether one arrives. */
export const NotifyTestRequest = z.strictObject({ webhook: webhookSchema }, hasNoField);
/** What a client may send. */
export type NotifyTestRequest = z.input<typeof NotifyTestRequest>;
