import type { Migration } from './migration.js';

/**
 * What tasks wait for of each other, a row for each condition that does not hold yet; and how tasks ended that are not
 * there any more.
 */
export const dependencies: Migration = {
  id: 21,
  name: 'dependencies',
  sql: `
CREATE TABLE dependencies (
  after_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  condition TEXT NOT NULL CHECK (condition IN ('success', 'failure', 'end')),
  PRIMARY KEY (after_id, task_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_dependencies_task ON dependencies (task_id);
CREATE TABLE remembered_ends (
  task_id TEXT PRIMARY KEY,
  status TEXT NOT NULL CHECK (status IN ('success', 'failed', 'cancelled')),
  ages_from_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_remembered_ends_ages ON remembered_ends (ages_from_ms);
`,
};
