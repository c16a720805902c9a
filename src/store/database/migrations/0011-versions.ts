import type { Migration } from './migration.js';

/** Each change of a task gets a number from one sequence; a task that has not been changed since has version 0. */
export const versions: Migration = {
  id: 11,
  name: 'versions',
  sql: `
ALTER TABLE tasks ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
INSERT INTO meta (key, value) VALUES ('last_version', 0);
`,
};
