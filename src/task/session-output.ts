import { z } from 'zod';
import { OutputRange, type OutputBytes, type OutputStream } from './output.js';
import { count } from './schema.js';

const { attempt, stream, warnings } = OutputRange.shape;

/** Most tasks whose output one page has. */
export const PAGE_TASKS = 50;

/** A piece of what one task of a session has written. */
export const SessionOutputPiece = z.strictObject({
  task_id: z.string(),
  attempt,
  stream,
  offset: count.describe('First byte of data in that stream'),
  next_offset: count,
  omitted_bytes: count.optional().describe('Bytes right before it that were not kept'),
  data: z.string(),
  warnings,
});
export type SessionOutputPiece = z.output<typeof SessionOutputPiece>;

export const SessionOutputPage = z.strictObject({
  pieces: z
    .array(SessionOutputPiece)
    .describe('Task by task in the order of submission, attempt by attempt, of each first what is on stdout'),
  next: z.string().describe('The after to go on with, also when more has been written'),
  more: z
    .boolean()
    .describe(
      'There is more right now; false: the task that comes next has not written any, or has not begun',
    ),
  encoding: z.enum(['utf8', 'base64']),
});
export type SessionOutputPage = z.output<typeof SessionOutputPage>;

/** How output of a session is asked for. */
export interface SessionOutputQuery {
  tenant: string | undefined;
  /** `next` of the page before. */
  after: string | undefined;
  /** Most bytes of all pieces together. */
  limit: number;
  encoding: SessionOutputPage['encoding'];
  /** Undefined: both. */
  stream: OutputStream | undefined;
}

/** A page as the daemon has it: the bytes themselves. */
export interface SessionOutputBytes extends Omit<SessionOutputPage, 'pieces' | 'encoding'> {
  pieces: (Omit<SessionOutputPiece, 'data'> & Pick<OutputBytes, 'data'>)[];
}
