import type { Migration } from './migration.js';

/**
 * Messages about ends, each written in the transaction of its end, and what has become of them. Those of a task go with it, but one that
 * is pending, which is delivered first. `due_ms` and `expires_ms` are times of the retention clock, which nobody can set.
 */
export const outbox: Migration = {
  id: 16,
  name: 'outbox',
  sql: `
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  webhook_id TEXT NOT NULL UNIQUE,
  task_id TEXT,
  source TEXT NOT NULL,
  url TEXT NOT NULL,
  host TEXT NOT NULL,
  secret_ref TEXT,
  body TEXT,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'given_up')),
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  created_at_ms INTEGER NOT NULL,
  due_ms INTEGER,
  expires_ms INTEGER,
  settled_at_ms INTEGER,
  http_status INTEGER,
  error TEXT,
  CHECK ((state = 'pending') = (body IS NOT NULL)),
  CHECK ((state = 'pending') = (due_ms IS NOT NULL)),
  CHECK ((state = 'pending') = (expires_ms IS NOT NULL)),
  CHECK ((state = 'pending') = (settled_at_ms IS NULL))
) STRICT;
CREATE INDEX idx_outbox_task ON outbox (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX idx_outbox_due ON outbox (host, due_ms) WHERE state = 'pending';
CREATE INDEX idx_outbox_expires ON outbox (expires_ms) WHERE state = 'pending';
ALTER TABLE tasks ADD COLUMN notices INTEGER NOT NULL DEFAULT 0 CHECK (
  typeof(notices) = 'integer' AND notices >= 0
);
`,
};
