import type { Migration } from './migration.js';

/** Up to which of its changes a reader has seen a task. */
export const readMarks: Migration = {
  id: 27,
  name: 'read-marks',
  sql: `
CREATE TABLE read_marks (
  reader TEXT NOT NULL,
  task_id TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  version INTEGER NOT NULL CHECK (version >= 0),
  PRIMARY KEY (reader, task_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_read_marks_task ON read_marks (task_id);
`,
};
