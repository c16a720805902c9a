import type { Migration } from './migration.js';

/**
 * What was found in the workspaces of sessions when it was last looked at. `changes` counts what happens in a session: where it has
 * grown since, that is from before. `digest` is absent where not all could be looked at. `born_seq` is the last event before there was the
 * session: tasks of an earlier session with the same id came before.
 */
export const sessionStorage: Migration = {
  id: 30,
  name: 'session-storage',
  sql: `
ALTER TABLE sessions ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN born_seq INTEGER NOT NULL DEFAULT 0;
CREATE TABLE session_storage (
  session_seq INTEGER PRIMARY KEY REFERENCES sessions (session_seq) ON DELETE CASCADE,
  files INTEGER NOT NULL CHECK (files >= 0),
  directories INTEGER NOT NULL CHECK (directories >= 0),
  others INTEGER NOT NULL CHECK (others >= 0),
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  disk_bytes INTEGER NOT NULL CHECK (disk_bytes >= 0),
  digest TEXT,
  measured_at_ms INTEGER NOT NULL,
  changes INTEGER NOT NULL
) STRICT;
`,
};
