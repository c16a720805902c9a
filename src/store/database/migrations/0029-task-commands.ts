import type { Migration } from './migration.js';

/**
 * What clients say to tasks. The commands of a task are numbered from 1 on without gaps, and go with it. Those that are open have an index
 * of their own, because they are looked for at the end of a task.
 */
export const taskCommands: Migration = {
  id: 29,
  name: 'task-commands',
  sql: `
CREATE TABLE task_commands (
  task_id TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  seq INTEGER NOT NULL CHECK (seq >= 1),
  type TEXT NOT NULL,
  payload_json TEXT NOT NULL,
  idempotency_key TEXT,
  status TEXT NOT NULL CHECK (status IN ('pending', 'acknowledged', 'completed', 'failed', 'cancelled')),
  created_at_ms INTEGER NOT NULL,
  acknowledged_at_ms INTEGER,
  finished_at_ms INTEGER,
  result_json TEXT,
  error TEXT,
  PRIMARY KEY (task_id, seq),
  CHECK (status <> 'pending' OR acknowledged_at_ms IS NULL),
  CHECK (status NOT IN ('acknowledged', 'completed', 'failed') OR acknowledged_at_ms IS NOT NULL),
  CHECK ((status IN ('completed', 'failed', 'cancelled')) = (finished_at_ms IS NOT NULL)),
  CHECK (status IN ('completed', 'failed') OR (result_json IS NULL AND error IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX idx_task_commands_key ON task_commands (task_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX idx_task_commands_open ON task_commands (task_id, seq) WHERE status IN ('pending', 'acknowledged');
`,
};
