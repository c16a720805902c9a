import type { Migration } from './migration.js';

/**
 * Tasks can be read in the order of their changes, also after they were deleted. What has not changed since changes are counted
 * counts as changed now, in the order of submission; what was deleted before is not known.
 *
 * The other indexes end with the rowid, too: each serves pages in an order of its own.
 */
export const changes: Migration = {
  id: 15,
  name: 'changes',
  sql: `
UPDATE tasks SET version = counted.version
  FROM (SELECT submit_seq, row_number() OVER (ORDER BY submit_seq) + (SELECT value FROM meta WHERE key = 'last_version') AS version
    FROM tasks WHERE typeof(version) <> 'integer' OR version <= 0) AS counted
  WHERE counted.submit_seq = tasks.submit_seq;
UPDATE meta SET value = max(value, (SELECT coalesce(max(version), 0) FROM tasks)) WHERE key = 'last_version';
CREATE INDEX idx_tasks_version ON tasks (version);
CREATE INDEX idx_tasks_created ON tasks (created_at_ms);
CREATE INDEX idx_tasks_finished ON tasks (status, finished_at_ms) WHERE finished_at_ms IS NOT NULL;
CREATE INDEX idx_tasks_waiting ON tasks (priority DESC) WHERE status = 'accepted';
CREATE TABLE tombstones (
  version INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL,
  tenant TEXT,
  owner TEXT,
  session_id TEXT,
  deleted_at_ms INTEGER NOT NULL,
  ages_from_ms INTEGER NOT NULL
) STRICT;
INSERT INTO meta (key, value) SELECT 'forgotten_version', CAST(value AS TEXT) FROM meta WHERE key = 'last_version';
`,
};
