import type { Migration } from './migration.js';

/** How far a task is, in its own words: of the attempt that it is at, or was at last. */
export const progress: Migration = {
  id: 32,
  name: 'progress',
  sql: 'ALTER TABLE tasks ADD COLUMN progress_json TEXT;',
};
