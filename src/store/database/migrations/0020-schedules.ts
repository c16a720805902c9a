import type { Migration } from './migration.js';

/**
 * Schedules, and what became of their due times. A due time is in `schedule_runs` from the transaction on in which the schedule goes on
 * to the next one, and its task from the one in which it is `submitted`: so each is submitted once.
 */
export const schedules: Migration = {
  id: 20,
  name: 'schedules',
  sql: `
CREATE TABLE schedules (
  schedule_id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  version INTEGER NOT NULL,
  spec TEXT NOT NULL CHECK (json_valid(spec) AND json_type(spec) = 'object'),
  task TEXT NOT NULL CHECK (json_valid(task) AND json_type(task) = 'object'),
  paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
  anchor_ms INTEGER NOT NULL,
  next_due_ms INTEGER,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE schedule_runs (
  run_id INTEGER PRIMARY KEY AUTOINCREMENT,
  schedule_id INTEGER NOT NULL REFERENCES schedules ON DELETE CASCADE,
  due_ms INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  manual INTEGER NOT NULL DEFAULT 0 CHECK (manual IN (0, 1)),
  outcome TEXT NOT NULL CHECK (outcome IN ('waiting', 'submitted', 'refused', 'skipped', 'missed')),
  task_id TEXT,
  count INTEGER,
  detail TEXT
) STRICT;
CREATE UNIQUE INDEX schedule_runs_due ON schedule_runs (schedule_id, due_ms) WHERE manual = 0;
CREATE INDEX schedule_runs_newest ON schedule_runs (schedule_id, run_id);
CREATE INDEX schedule_runs_waiting ON schedule_runs (run_id) WHERE outcome = 'waiting';
CREATE INDEX schedule_runs_task ON schedule_runs (task_id) WHERE task_id IS NOT NULL;
INSERT INTO meta (key, value) VALUES ('last_schedule_version', 0);
`,
};
