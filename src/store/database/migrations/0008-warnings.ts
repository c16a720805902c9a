import type { Migration } from './migration.js';

/** What of a task's files could not be kept is told with its end. */
export const warnings: Migration = {
  id: 8,
  name: 'warnings',
  sql: 'ALTER TABLE tasks ADD COLUMN warnings_json TEXT;',
};
