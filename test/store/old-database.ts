import { join } from 'node:path';
import Database from 'better-sqlite3';

const LATE = `, execution_plan_json TEXT, control_context_json TEXT, reservation_json TEXT, reserved_at_ms INTEGER, released_at_ms INTEGER`;

/** The schema of the older runtime, written down independently of the migrations. */
function schema(lateColumns: boolean): string {
  return `CREATE TABLE tasks (task_id TEXT PRIMARY KEY, handle_id TEXT NOT NULL, status TEXT NOT NULL,
    execution_json TEXT NOT NULL, limits_json TEXT NOT NULL, sandbox_json TEXT NOT NULL, metadata_json TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL, started_at_ms INTEGER, finished_at_ms INTEGER,
    duration_ms INTEGER, shim_pid INTEGER, pid INTEGER, pgid INTEGER, exit_code INTEGER, exit_signal INTEGER,
    error_code TEXT, error_json TEXT, usage_json TEXT, task_dir TEXT NOT NULL, workspace_dir TEXT NOT NULL,
    request_path TEXT NOT NULL, result_path TEXT NOT NULL, stdout_path TEXT NOT NULL, stderr_path TEXT NOT NULL,
    script_path TEXT, stdout_max_bytes INTEGER NOT NULL, stderr_max_bytes INTEGER NOT NULL,
    kill_requested INTEGER NOT NULL DEFAULT 0, kill_requested_at_ms INTEGER,
    timeout_triggered INTEGER NOT NULL DEFAULT 0, result_json TEXT${lateColumns ? LATE : ''});
  CREATE TABLE task_events (seq INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL, event_type TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL, message TEXT, data_json TEXT,
    FOREIGN KEY (task_id) REFERENCES tasks (task_id) ON DELETE CASCADE);
  CREATE INDEX old_a ON tasks (status, created_at_ms);
  CREATE INDEX old_b ON tasks (finished_at_ms);
  CREATE INDEX old_c ON task_events (task_id, seq);`;
}

type Row = Record<string, string | number | bigint | Buffer | null>;

/** A database as the older runtime leaves it. */
export class OldDatabase {
  readonly path: string;
  readonly db: Database.Database;

  /** @param options.constraints false for a table that takes NULL everywhere, as somebody else may make it */
  constructor(dataDir: string, { lateColumns = true, constraints = true } = {}) {
    this.path = join(dataDir, 'runtime.db');
    this.db = new Database(this.path);
    this.db.pragma('journal_mode = WAL');
    this.db.pragma('foreign_keys = OFF');
    this.db.exec(constraints ? schema(lateColumns) : schema(lateColumns).replaceAll('NOT NULL', ''));
  }

  add(task_id: string, row: Row): void {
    const dir = `data/tasks/${task_id}`;
    const full: Row = {
      task_id,
      handle_id: task_id,
      execution_json: '{"kind":"command","program":"/bin/echo","args":["hi"],"env":{"A":"b"}}',
      limits_json: '{"wall_time_ms":5000,"stdout_max_bytes":10,"stderr_max_bytes":20}',
      sandbox_json: '{"profile":"process","chroot":false}',
      metadata_json: '{"note":"old"}',
      created_at_ms: 100,
      updated_at_ms: 200,
      task_dir: dir,
      workspace_dir: `${dir}/workspace/sub`,
      request_path: `${dir}/request.json`,
      result_path: `${dir}/result.json`,
      stdout_path: `/abs/${task_id}/stdout.log`,
      stderr_path: 'stderr.log',
      stdout_max_bytes: 10,
      stderr_max_bytes: 20,
      ...row,
    };
    const names = Object.keys(full);
    this.db
      .prepare(`INSERT INTO tasks (${names.join(', ')}) VALUES (${names.map((n) => `@${n}`).join(', ')})`)
      .run(full);
  }

  event(task_id: string, event_type: string): void {
    this.db
      .prepare('INSERT INTO task_events (task_id, event_type, timestamp_ms) VALUES (?, ?, 100)')
      .run(task_id, event_type);
  }
}
