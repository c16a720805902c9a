import { z } from 'zod';
import { count, time } from './schema.js';

export const NOTICE_STATES = ['pending', 'delivered', 'given_up'] as const;
/** Who has asked for a message. */
export const NOTICE_SOURCES = ['task', 'queue', 'group'] as const;

const outcome = {
  http_status: z.int().optional().describe('Of the last answer, if there was one'),
  error: z.string().optional().describe('In words, why the last attempt did not deliver it'),
};

/** A message about the end of a task or a group, and what has become of it. */
export const NotificationView = z.strictObject({
  webhook_id: z.string().describe('The same at each attempt: by it a receiver knows a message again'),
  source: z.enum(NOTICE_SOURCES).describe('Whose list asks for it'),
  to: z.string().describe('Where it goes, without the path'),
  signed: z.boolean(),
  state: z.enum(NOTICE_STATES).describe('pending: not yet delivered; given_up: it will not be tried again'),
  attempts: count,
  created_at: time,
  next_attempt_at: time.optional().describe('While it is pending: the earliest time of the next attempt'),
  settled_at: time.optional().describe('When it was delivered or given up'),
  ...outcome,
});
export type NotificationView = z.output<typeof NotificationView>;

/** What has become of a message that was sent to see whether one arrives. */
export const NotifyTestAnswer = z.strictObject({
  webhook_id: z.string(),
  to: z.string(),
  signed: z.boolean(),
  delivered: z.boolean(),
  duration_ms: count,
  ...outcome,
});
export type NotifyTestAnswer = z.output<typeof NotifyTestAnswer>;
