import { z } from 'zod';
import { CAUSES } from './causes.js';
import { count, sentences } from './schema.js';
import { TASK_STATUSES } from './states.js';

const stream = z.enum(['stdout', 'stderr']);
export type OutputStream = z.output<typeof stream>;

const attempt = z.int().min(1).describe('The attempt whose output it is; the first is 1');

const warnings = sentences.optional().describe('What could not be read that should be there, in words');

/** A range of one stream. Offsets and counts are bytes of what the task wrote. */
export const OutputRange = z.strictObject({
  task_id: z.string(),
  stream,
  attempt,
  offset: count.describe('First byte of data; beyond what was asked for where bytes are gone'),
  next_offset: count.describe('Where to go on reading'),
  data: z.string(),
  total_bytes: count.describe('What the task wrote so far'),
  kept_bytes: count.describe('How much of the beginning is kept'),
  omitted_bytes: count.describe('Bytes between head and tail that are gone; a range never crosses them'),
  eof: z.boolean().describe('The task is terminal and nothing follows next_offset'),
  warnings,
  encoding: z.enum(['utf8', 'base64']),
});
/** A range as the daemon and its client have it: the bytes themselves. */
export type OutputBytes = Omit<z.output<typeof OutputRange>, 'task_id' | 'encoding' | 'data'> & {
  data: Buffer;
};

/** Head and tail of one stream as text; nothing is cut inside a character. */
export const HeadTailView = z.strictObject({
  task_id: z.string(),
  stream,
  attempt,
  head: z.string(),
  tail: z.string(),
  head_bytes: count,
  tail_bytes: count,
  total_bytes: count,
  omitted_bytes: count,
  omitted_lines: count.optional().describe('Absent where the omitted lines cannot be counted'),
  total_lines: count.optional(),
  eof: z.boolean(),
  warnings,
});
export type HeadTailView = z.output<typeof HeadTailView>;
/** Head and tail as the daemon has them: the bytes themselves. */
export type HeadTailBytes = Omit<HeadTailView, 'task_id' | 'head' | 'tail'> & { head: Buffer; tail: Buffer };

/** Output as it comes: a piece of one stream. */
export const OutputChunk = z.strictObject({ offset: count, next_offset: count, data: z.string() });
export type OutputChunk = z.output<typeof OutputChunk>;

/** Output as it comes: bytes from `from` up to `to` that were not kept. */
export const OutputGap = z.strictObject({
  stream,
  from: count,
  to: count,
  reason: z.string().optional().describe('Why, where that is known'),
});
export type OutputGap = z.output<typeof OutputGap>;

/** Output as it comes: what follows is that of another attempt, from its first byte on. */
export const OutputAttempt = z.strictObject({ attempt: z.int().min(1) });
export type OutputAttempt = z.output<typeof OutputAttempt>;

/** Output as it comes: its end, and how the task is then. */
export const TaskEnd = z.strictObject({
  status: z.enum(TASK_STATUSES),
  exit_code: z.int().optional(),
  exit_signal: z.int().optional(),
  cause: z.enum(CAUSES).optional(),
});
export type TaskEnd = z.output<typeof TaskEnd>;
