import type { Migration } from './migration.js';

/** The groups of tasks: how many of each there are, by how they are or have ended. No tenant is an empty name. */
export const groups: Migration = {
  id: 22,
  name: 'groups',
  sql: `
CREATE TABLE groups (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  live INTEGER NOT NULL DEFAULT 0,
  success INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  max_failures INTEGER CHECK (max_failures > 0),
  owner TEXT,
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
ALTER TABLE tasks ADD COLUMN group_name TEXT;
CREATE INDEX idx_tasks_group ON tasks (group_name, submit_seq) WHERE group_name IS NOT NULL;
CREATE INDEX idx_tasks_group_failed ON tasks (group_name, tenant, finished_at_ms)
  WHERE group_name IS NOT NULL AND status = 'failed';
`,
};
