import { z } from 'zod';
import { invalidInput } from './errors.js';
import { count } from './schema.js';
import { invalidInputFrom } from './validate.js';

/** What a reader may be called. */
const READER_NAME = /^[A-Za-z0-9._@:+-]{1,128}$/;

export const readMarkSchema = z
  .strictObject({
    version: count.nullish().describe('Up to which version it has been seen; the present one without it'),
  })
  .optional();

/** Up to which version a reader has seen a task. */
export const ReadMark = z.strictObject({ task_id: z.string(), reader: z.string(), version: count });
export type ReadMark = z.output<typeof ReadMark>;

/** @throws ExecgoError `invalid_input` */
export function validateReadMark(reader: string, body: unknown): { version: number | undefined } {
  if (!READER_NAME.test(reader))
    throw invalidInput('reader: must be 1 to 128 of the characters A-Z a-z 0-9 . _ @ : + -');
  const parsed = readMarkSchema.safeParse(body);
  if (!parsed.success) throw invalidInputFrom(parsed.error);
  return { version: parsed.data?.version ?? undefined };
}
