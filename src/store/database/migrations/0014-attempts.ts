import type { Migration } from './migration.js';

/**
 * The attempts of a task that have failed and were followed by another, or by a wait for one; the one that it is at, or was
 * at last, is in its own row. `retry_due_ms` is a time of the retention clock, which nobody can set.
 */
export const attempts: Migration = {
  id: 14,
  name: 'attempts',
  sql: `
CREATE TABLE attempts (
  task_id TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL CHECK (attempt >= 1),
  launch_id INTEGER NOT NULL UNIQUE,
  cause TEXT NOT NULL CHECK (cause IN
    ('exit', 'signal', 'timeout', 'oom', 'cpu', 'output', 'launch', 'sandbox', 'disk', 'lost')),
  exit_code INTEGER,
  exit_signal INTEGER,
  started_at_ms INTEGER,
  finished_at_ms INTEGER NOT NULL,
  stdout_bytes INTEGER NOT NULL CHECK (stdout_bytes >= 0),
  stderr_bytes INTEGER NOT NULL CHECK (stderr_bytes >= 0),
  usage_json TEXT,
  error_json TEXT NOT NULL,
  warnings_json TEXT,
  PRIMARY KEY (task_id, attempt),
  CHECK (exit_code IS NULL OR exit_signal IS NULL)
) STRICT, WITHOUT ROWID;
ALTER TABLE tasks ADD COLUMN past_attempts INTEGER NOT NULL DEFAULT 0 CHECK (
  typeof(past_attempts) = 'integer' AND past_attempts >= 0
);
ALTER TABLE tasks ADD COLUMN waits_since_ms INTEGER CHECK (
  waits_since_ms IS NULL OR (typeof(waits_since_ms) = 'integer' AND status = 'accepted' AND past_attempts > 0)
);
ALTER TABLE tasks ADD COLUMN retry_due_ms INTEGER CHECK (
  (retry_due_ms IS NULL) = (waits_since_ms IS NULL) AND (retry_due_ms IS NULL OR typeof(retry_due_ms) = 'integer')
);
`,
};
