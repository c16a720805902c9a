import { z } from 'zod';
import { word } from './commands.js';
import { hasNoField } from './fields.js';
import { jsonValue } from './json-value.js';
import { count } from './schema.js';
import { checkShape } from './shape.js';
import { invalidInputFrom } from './validate.js';

/** How long a name may be, in characters, and the data of one, in bytes of its JSON. */
const NAME_MAX = 128;
export const DATA_MAX_BYTES = 16_384;
/** How many events a task may add to its history, and how many bytes of data in all. */
export const TASK_EVENTS_MAX = 1_000;
export const TASK_EVENTS_MAX_BYTES = 1_048_576;

/** What a task adds to its history. */
export const TaskEventReport = z.strictObject(
  {
    name: word(NAME_MAX).describe('What has happened, in a word'),
    data: jsonValue(DATA_MAX_BYTES).optional().describe('Whatever belongs to it'),
  },
  hasNoField,
);
export type TaskEventReport = z.input<typeof TaskEventReport>;

/** The answer to it. */
export const TaskEventAnswer = z.strictObject({
  task_id: z.string(),
  seq: count.describe('Its number among all events of the daemon'),
});
export type TaskEventAnswer = z.output<typeof TaskEventAnswer>;

/** @throws ExecgoError `invalid_input`, naming the first wrong field */
export function validateTaskEvent(body: unknown): { name: string; data?: unknown } {
  checkShape(body);
  const read = TaskEventReport.safeParse(body);
  if (!read.success) throw invalidInputFrom(read.error);
  return read.data;
}
