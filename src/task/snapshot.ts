import { z } from 'zod';
import { NEXT_SHOWN } from './queues.js';
import { count, time } from './schema.js';
import { TaskSummary } from './view.js';

/** How many tasks a snapshot shows of each kind. */
export const SNAPSHOT_SHOWN = NEXT_SHOWN;

/** All that matters at one moment, of all tasks or of one queue. */
export const Snapshot = z.strictObject({
  generated_at: time,
  version: count.describe('What changed since can be asked for with changed_after'),
  last_seq: count.describe('What happened since can be asked for with after_seq'),
  queue: z.string().optional().describe('The one that was asked for'),
  paused: z.literal(true).optional().describe('That queue is paused'),
  counts: z
    .strictObject({ accepted: count, running: count })
    .describe('Tasks that wait, and that run or are being started'),
  ended: z
    .strictObject({ success: count, failed: count, cancelled: count })
    .describe('Of a queue: the tasks that are there; of all: ends since the data directory was made'),
  slots_in_use: count,
  slots: count.describe('How many tasks may run at once'),
  oldest_waiting_ms: count
    .optional()
    .describe('How long the one that was submitted first has waited for room; absent when none waits'),
  started_per_minute: count.describe('Starts in the last minute, as far as this daemon was there'),
  ended_per_minute: count,
  running: z
    .array(TaskSummary)
    .describe(`Up to ${SNAPSHOT_SHOWN} that run, those first that were submitted last`),
  next: z
    .array(TaskSummary)
    .describe(`The ${SNAPSHOT_SHOWN} that are next, in order, as if there were room for all of them`),
  last: z.array(TaskSummary).describe(`The ${SNAPSHOT_SHOWN} that ended last, the latest first`),
  last_among: count
    .optional()
    .describe('Of a queue, where there may be more: last shows those of so many tasks that ended last'),
});
export type Snapshot = z.output<typeof Snapshot>;
