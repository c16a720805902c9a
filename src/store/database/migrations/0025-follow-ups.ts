import type { Migration } from './migration.js';

/**
 * Tasks that are to be submitted because another has ended, each written in the transaction of that end, and settled in the transaction
 * that accepts it. `due_ms` and `expires_ms` are times of the retention clock, which nobody can set.
 */
export const followUps: Migration = {
  id: 25,
  name: 'follow-ups',
  sql: `
CREATE TABLE follow_ups (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id TEXT NOT NULL,
  body TEXT,
  state TEXT NOT NULL CHECK (state IN ('pending', 'submitted', 'refused')),
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  due_ms INTEGER,
  expires_ms INTEGER,
  settled_at_ms INTEGER,
  next_task_id TEXT,
  error_json TEXT,
  CHECK ((state = 'pending') = (body IS NOT NULL)),
  CHECK ((state = 'pending') = (due_ms IS NOT NULL)),
  CHECK ((state = 'pending') = (expires_ms IS NOT NULL)),
  CHECK ((state = 'pending') = (settled_at_ms IS NULL)),
  CHECK ((state = 'submitted') = (next_task_id IS NOT NULL))
) STRICT;
CREATE INDEX idx_follow_ups_task ON follow_ups (task_id);
CREATE INDEX idx_follow_ups_due ON follow_ups (due_ms) WHERE state = 'pending';
ALTER TABLE tasks ADD COLUMN follow_ups INTEGER NOT NULL DEFAULT 0 CHECK (
  typeof(follow_ups) = 'integer' AND follow_ups >= 0
);
`,
};
