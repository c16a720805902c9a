import type { Migration } from './migration.js';

/**
 * The columns that garbage collection decides by. `ages_from_ms` is the retention clock when the task ended, null until
 * then; `disk_bytes` is null until the files were measured; `pinned` tasks are never collected.
 *
 * Tasks that have ended already count as ended now: opening an older data directory must not empty it.
 *
 * The index has every column that choosing the next tasks reads, oldest first, and replaces the one by end time.
 */
export const retention: Migration = {
  id: 3,
  name: 'retention',
  sql: `
ALTER TABLE tasks ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0 CONSTRAINT pinned_flag CHECK (pinned IN (0, 1));
ALTER TABLE tasks ADD COLUMN ages_from_ms INTEGER;
ALTER TABLE tasks ADD COLUMN disk_bytes INTEGER;
UPDATE tasks SET pinned = 1
  WHERE json_valid(metadata_json) AND json_extract(metadata_json, '$."execgo.pin"') = 'true';
UPDATE tasks SET ages_from_ms = now_ms() WHERE finished_at_ms IS NOT NULL;
DROP INDEX idx_tasks_finished;
CREATE INDEX idx_tasks_ages ON tasks (ages_from_ms, submit_seq, disk_bytes)
  WHERE pinned = 0 AND ages_from_ms IS NOT NULL;
CREATE INDEX idx_tasks_pinned ON tasks (ages_from_ms) WHERE pinned = 1 AND ages_from_ms IS NOT NULL;
INSERT INTO counters (name, value)
  SELECT 'kept.tasks.added', count(*) FROM tasks WHERE pinned = 0 AND ages_from_ms IS NOT NULL;
`,
};
