import type { Migration } from './migration.js';

/** Who asked for the end of a task, and why, where that was said. */
export const killNotes: Migration = {
  id: 26,
  name: 'kill-notes',
  sql: 'ALTER TABLE tasks ADD COLUMN kill_json TEXT;',
};
