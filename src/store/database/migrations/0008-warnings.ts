import type { Migration } from './migration.js';

/** The warnings of a task that has ended: which of its files could not be kept. */
export const warnings: Migration = {
  id: 8,
  name: 'warnings',
  sql: 'ALTER TABLE tasks ADD COLUMN warnings_json TEXT;',
};
