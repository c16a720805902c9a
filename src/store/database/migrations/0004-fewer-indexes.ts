import type { Migration } from './migration.js';

/** No query needs this index of the older runtime: `idx_tasks_status` has the same first column. Every change of a task's state had to keep both. */
export const fewerIndexes: Migration = {
  id: 4,
  name: 'fewer-indexes',
  sql: 'DROP INDEX idx_tasks_status_created;',
};
