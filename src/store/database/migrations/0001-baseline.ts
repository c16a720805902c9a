import type Database from 'better-sqlite3';
import type { Migration } from './migration.js';

/** Columns that the older runtime added late: its first databases lack them. */
const LATE_COLUMNS = [
  'execution_plan_json TEXT',
  'control_context_json TEXT',
  'reservation_json TEXT',
  'reserved_at_ms INTEGER',
  'released_at_ms INTEGER',
];

function addLateColumns(db: Database.Database): void {
  const present = db.prepare("SELECT name FROM pragma_table_info('tasks')").pluck().all();
  if (present.length === 0) return;
  for (const column of LATE_COLUMNS)
    if (!present.includes(column.split(' ')[0])) db.exec(`ALTER TABLE tasks ADD COLUMN ${column}`);
}

/** The schema of the older runtime, as its newest version makes it. */
export const baseline: Migration = {
  id: 1,
  name: 'baseline',
  before: addLateColumns,
  sql: `
CREATE TABLE IF NOT EXISTS tasks (
  task_id TEXT PRIMARY KEY,
  handle_id TEXT NOT NULL,
  status TEXT NOT NULL,
  execution_json TEXT NOT NULL,
  limits_json TEXT NOT NULL,
  sandbox_json TEXT NOT NULL,
  metadata_json TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  started_at_ms INTEGER,
  finished_at_ms INTEGER,
  duration_ms INTEGER,
  shim_pid INTEGER,
  pid INTEGER,
  pgid INTEGER,
  exit_code INTEGER,
  exit_signal INTEGER,
  error_code TEXT,
  error_json TEXT,
  usage_json TEXT,
  task_dir TEXT NOT NULL,
  workspace_dir TEXT NOT NULL,
  request_path TEXT NOT NULL,
  result_path TEXT NOT NULL,
  stdout_path TEXT NOT NULL,
  stderr_path TEXT NOT NULL,
  script_path TEXT,
  stdout_max_bytes INTEGER NOT NULL,
  stderr_max_bytes INTEGER NOT NULL,
  kill_requested INTEGER NOT NULL DEFAULT 0,
  kill_requested_at_ms INTEGER,
  timeout_triggered INTEGER NOT NULL DEFAULT 0,
  result_json TEXT,
  execution_plan_json TEXT,
  control_context_json TEXT,
  reservation_json TEXT,
  reserved_at_ms INTEGER,
  released_at_ms INTEGER
);
CREATE TABLE IF NOT EXISTS task_events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  event_type TEXT NOT NULL,
  timestamp_ms INTEGER NOT NULL,
  message TEXT,
  data_json TEXT
);
CREATE INDEX IF NOT EXISTS idx_tasks_status_created ON tasks (status, created_at_ms);
CREATE INDEX IF NOT EXISTS idx_tasks_finished ON tasks (finished_at_ms);
CREATE INDEX IF NOT EXISTS idx_task_events_task_seq ON task_events (task_id, seq);
`,
};
