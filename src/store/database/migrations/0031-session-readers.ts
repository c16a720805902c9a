import type { Migration } from './migration.js';

/** Up to which of its versions, and of the events of its tasks, a reader has seen a session. */
export const sessionReaders: Migration = {
  id: 31,
  name: 'session-readers',
  sql: `
CREATE TABLE session_readers (
  session_seq INTEGER NOT NULL REFERENCES sessions (session_seq) ON DELETE CASCADE,
  reader TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 0),
  event_seq INTEGER NOT NULL CHECK (event_seq >= 0),
  PRIMARY KEY (session_seq, reader)
) STRICT, WITHOUT ROWID;
`,
};
