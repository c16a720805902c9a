import { z } from 'zod';
import { hasNoField, optional } from './fields.js';
import { text } from './request.js';
import { time } from './schema.js';
import { checkShape } from './shape.js';
import { invalidInputFrom } from './validate.js';

/** How long the words of a progress may be, in characters. */
export const MESSAGE_MAX = 500;

const amount = z.number().min(0, 'must be at least 0');

/** What a task says of how far it is. */
export const ProgressReport = z
  .strictObject(
    {
      percent: optional(amount.max(100, 'must be at most 100')).describe(
        'How much of it is done, from 0 to 100',
      ),
      done: optional(amount).describe(
        'How much is done, in whatever it counts; more than total where that was a guess',
      ),
      total: optional(amount).describe('How much there is to do'),
      message: optional(text.max(MESSAGE_MAX, `must have at most ${MESSAGE_MAX} characters`)).describe(
        'What it is at, in words',
      ),
    },
    hasNoField,
  )
  .refine((report) => Object.values(report).some((value) => value !== undefined), {
    error: 'says nothing: give percent, done, total or message',
  });
export type ProgressReport = z.input<typeof ProgressReport>;

/** How far a task is, in its own words. */
export const Progress = z.strictObject({
  percent: z.number().optional(),
  done: z.number().optional(),
  total: z.number().optional(),
  message: z.string().optional(),
  at: time.describe('When it was said'),
});
export type Progress = z.output<typeof Progress>;

/** The answer to a report. */
export const ProgressAnswer = z.strictObject({
  task_id: z.string(),
  written: z
    .boolean()
    .describe(
      'False where one was written less than a second ago: it, or a newer one, is written after that second',
    ),
});
export type ProgressAnswer = z.output<typeof ProgressAnswer>;

/** What is kept of a report. */
export interface KeptProgress {
  percent?: number | undefined;
  done?: number | undefined;
  total?: number | undefined;
  message?: string | undefined;
  /** Unix time in milliseconds. */
  at_ms: number;
}

/** @throws ExecgoError `invalid_input`, naming the first wrong field */
export function validateProgress(body: unknown): Omit<KeptProgress, 'at_ms'> {
  checkShape(body);
  const read = ProgressReport.safeParse(body);
  if (!read.success) throw invalidInputFrom(read.error);
  return read.data;
}
