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

export const sessionReadMarkSchema = z
  .strictObject({
    version: count.nullish().describe('Up to which version it has been seen; the present one without it'),
    event_seq: count
      .nullish()
      .describe('Up to which event of its tasks it has been seen; the last one without it'),
  })
  .optional();

const readerFields = { reader: z.string(), version: count, event_seq: count };

/** How far a reader has seen a session. */
export const SessionReadMark = z.strictObject({ session_id: z.string(), ...readerFields });
export type SessionReadMark = z.output<typeof SessionReadMark>;

/** A reader of a session. */
export const SessionReader = z.strictObject({
  ...readerFields,
  unread: z.boolean().describe('It has changed since, or something has happened to its tasks'),
});

/** @throws ExecgoError `invalid_input` */
export function validateReadMark(reader: string, body: unknown): { version: number | undefined } {
  const { version } = parsed(readMarkSchema, reader, body) ?? {};
  return { version: version ?? undefined };
}

/** @throws ExecgoError `invalid_input` */
export function validateSessionReadMark(
  reader: string,
  body: unknown,
): { version: number | undefined; event_seq: number | undefined } {
  const { version, event_seq } = parsed(sessionReadMarkSchema, reader, body) ?? {};
  return { version: version ?? undefined, event_seq: event_seq ?? undefined };
}

function parsed<T extends z.ZodType>(schema: T, reader: string, body: unknown): z.output<T> {
  checkReader(reader);
  const found = schema.safeParse(body);
  if (!found.success) throw invalidInputFrom(found.error);
  return found.data;
}

/** @throws ExecgoError `invalid_input` for what no reader is called */
function checkReader(reader: string): void {
  if (!READER_NAME.test(reader))
    throw invalidInput('reader: must be 1 to 128 of the characters A-Z a-z 0-9 . _ @ : + -');
}
