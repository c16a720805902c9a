import type { Migration } from './migration.js';

/**
 * Which task is run again by which, on both of them. Of a group `retried` are those ended tasks in whose place another has come,
 * which none of the other counts has any more, and `excused` says how many of its failures do not stop it.
 */
export const reruns: Migration = {
  id: 23,
  name: 'reruns',
  sql: `
ALTER TABLE tasks ADD COLUMN retry_of TEXT;
ALTER TABLE tasks ADD COLUMN retried_as TEXT;
ALTER TABLE groups ADD COLUMN retried INTEGER NOT NULL DEFAULT 0;
ALTER TABLE groups ADD COLUMN excused INTEGER NOT NULL DEFAULT 0;
DROP INDEX idx_tasks_group_failed;
CREATE INDEX idx_tasks_group_failed ON tasks (group_name, tenant, finished_at_ms)
  WHERE group_name IS NOT NULL AND status = 'failed' AND retried_as IS NULL;
CREATE INDEX idx_tasks_group_undone ON tasks (group_name, tenant, submit_seq)
  WHERE group_name IS NOT NULL AND status IN ('failed', 'cancelled') AND retried_as IS NULL;
`,
};
