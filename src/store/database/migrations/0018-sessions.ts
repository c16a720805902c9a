import type { Migration } from './migration.js';

/**
 * Sessions, also those of which only the word is left that they are gone. `due_ms` and `ages_from_ms` are times of the retention
 * clock, which nobody can set: when it expires, and when something was last done in it, or when it was evicted.
 * `removal`: it is to be deleted as soon as none of its tasks is left.
 */
export const sessions: Migration = {
  id: 18,
  name: 'sessions',
  sql: `
CREATE TABLE sessions (
  session_seq INTEGER PRIMARY KEY AUTOINCREMENT,
  session_id TEXT NOT NULL UNIQUE,
  tenant TEXT,
  owner TEXT,
  title TEXT,
  metadata TEXT NOT NULL CHECK (json_valid(metadata) AND json_type(metadata) = 'object'),
  concurrency INTEGER NOT NULL CHECK (concurrency >= 1),
  state TEXT NOT NULL CHECK (state IN ('open', 'ended', 'evicted')),
  reason TEXT CHECK (reason IN ('expired', 'idle', 'deleted', 'closed')),
  removal INTEGER NOT NULL DEFAULT 0 CHECK (removal IN (0, 1)),
  version INTEGER NOT NULL CHECK (version >= 1),
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  activity_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER,
  evicted_at_ms INTEGER,
  expires_at_ms INTEGER,
  due_ms INTEGER,
  ages_from_ms INTEGER NOT NULL,
  submitted INTEGER NOT NULL DEFAULT 0,
  success INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  last_task_id TEXT,
  last_event_seq INTEGER NOT NULL DEFAULT 0,
  CHECK ((due_ms IS NULL) = (expires_at_ms IS NULL)),
  CHECK ((state = 'evicted') = (evicted_at_ms IS NOT NULL)),
  CHECK ((state = 'open') = (ended_at_ms IS NULL) AND (state = 'open') = (reason IS NULL))
) STRICT;
CREATE INDEX idx_sessions_tenant ON sessions (tenant, session_seq);
CREATE INDEX idx_sessions_due ON sessions (due_ms) WHERE due_ms IS NOT NULL AND state <> 'evicted';
CREATE INDEX idx_sessions_ages ON sessions (state, ages_from_ms);
CREATE INDEX idx_sessions_removal ON sessions (session_seq) WHERE removal = 1;
`,
};
