import { z } from 'zod';
import { count, time } from './schema.js';

/** How many entries of a directory an answer lists. */
export const ENTRIES_MAX = 500;
/** How many names of a directory are looked at for an answer. */
export const LOOK_MAX = 100_000;

export const FileEntry = z.strictObject({
  name: z.string(),
  type: z.enum(['file', 'directory', 'link', 'other']),
  size: count.optional().describe('Bytes; of files only'),
  mode: z.string().describe('As chmod takes it, such as 644'),
  modified_at: time,
});
export type FileEntry = z.output<typeof FileEntry>;

/** What is in a directory of a workspace. */
export const FileList = z.strictObject({
  path: z.string().describe('Of the directory, from the workspace on; empty for the workspace itself'),
  entries: z.array(FileEntry).describe(`By name, at most ${ENTRIES_MAX} of them`),
  more: z.literal(true).optional().describe('There are further ones'),
  next: z
    .string()
    .optional()
    .describe(
      'Given as after, lists those; absent where the rest of a very large directory cannot be listed',
    ),
});
export type FileList = z.output<typeof FileList>;

export const FilePutAnswer = z.strictObject({ path: z.string(), size: count });
export type FilePutAnswer = z.output<typeof FilePutAnswer>;

export const FileDeleteAnswer = z.strictObject({ path: z.string(), deleted: z.literal(true) });
export type FileDeleteAnswer = z.output<typeof FileDeleteAnswer>;
