import { z } from 'zod';
import { count, time } from './schema.js';

/** What is in the workspace of a session. */
const tree = {
  files: count.describe('Regular files; one with several names counts once'),
  directories: count.describe('Below the workspace'),
  others: count.describe('Links, sockets, pipes and devices; none is followed or opened'),
  bytes: count.describe('The length of all files'),
  disk_bytes: count.describe('What they take on disk: less for files with holes'),
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/)
    .optional()
    .describe(
      'Of the path, kind, mode, size and times of all; another one as soon as anything was written. Absent where not all could be looked at',
    ),
};
export interface SessionTree {
  files: number;
  directories: number;
  others: number;
  bytes: number;
  disk_bytes: number;
  digest: string | undefined;
}

/** How much a session keeps, as it was when it was last looked at. */
export const StorageFigures = z.strictObject({
  ...tree,
  complete: z.boolean().describe('False: there is more than was looked at'),
  measured_at: time,
  stale: z
    .boolean()
    .describe('It may have changed since: a task has run or runs, or a file was written or deleted'),
});
export type StorageFigures = z.output<typeof StorageFigures>;

export const SessionStorage = z.strictObject({ session_id: z.string(), ...StorageFigures.shape });
export type SessionStorage = z.output<typeof SessionStorage>;
