import { isUtf8 } from 'node:buffer';
import type Database from 'better-sqlite3';

/** Columns that may not be empty, and the value to write where one is. */
const REQUIRED = {
  ...{ handle_id: "''", execution_json: "''", limits_json: "''", sandbox_json: "''", metadata_json: "''" },
  ...{ created_at_ms: '0', updated_at_ms: '0', task_dir: "''", workspace_dir: "''", request_path: "''" },
  ...{
    result_path: "''",
    stdout_path: "''",
    stderr_path: "''",
    stdout_max_bytes: '0',
    stderr_max_bytes: '0',
  },
  ...{ kill_requested: '0', timeout_triggered: '0' },
};
const MISSING = Object.keys(REQUIRED).map((column) => `${column} IS NULL`);
const FILLED = Object.entries(REQUIRED).map(([column, value]) => `${column} = coalesce(${column}, ${value})`);

/** Numbers above it are not exact any more, and would leave none for the next event. */
const LAST_SEQ = 2 ** 52;
/** 30 years in milliseconds: the sum of several durations must still be an exact number. */
const LONGEST = 10 ** 12;

/**
 * Changes rows that our schema refuses into rows that it accepts. The older runtime cannot have written such rows, but its
 * schema allows them, and one of them must not keep the daemon from opening the database. No row is removed. A value that
 * makes no sense but is allowed stays; the code that reads it reports it.
 */
export function tameOlderRows(db: Database.Database): void {
  db.function('is_utf8', { deterministic: true }, (bytes) => (isUtf8(bytes as Buffer) ? 1 : 0));
  db.exec(`
UPDATE tasks SET task_id = 'unreadable-' || lower(hex(randomblob(8)))
  WHERE task_id IS NULL OR typeof(task_id) <> 'text' OR NOT is_utf8(CAST(task_id AS BLOB))
    OR rowid NOT IN (SELECT min(rowid) FROM tasks GROUP BY task_id);
UPDATE tasks SET ${FILLED.join(', ')} WHERE ${MISSING.join(' OR ')};
UPDATE tasks SET status = 'failed', error_code = 'internal', finished_at_ms = coalesce(finished_at_ms, updated_at_ms),
    error_json = json_object('code', 'internal', 'message', 'the status of this task cannot be read in the database')
  WHERE status IS NULL OR status NOT IN ('accepted', 'running', 'success', 'failed', 'cancelled');
UPDATE tasks SET error_code = 'unreadable'
  WHERE error_code IS NOT NULL AND (typeof(error_code) <> 'text' OR error_code GLOB '*[^a-z0-9_]*' OR length(error_code) > 64);
UPDATE tasks SET duration_ms = -1
  WHERE duration_ms IS NOT NULL AND (typeof(duration_ms) <> 'integer' OR duration_ms NOT BETWEEN 0 AND ${LONGEST});
UPDATE task_events SET event_type = coalesce(event_type, 'unknown'), timestamp_ms = coalesce(timestamp_ms, 0)
  WHERE event_type IS NULL OR timestamp_ms IS NULL;
CREATE TEMP TABLE odd_events AS SELECT * FROM task_events WHERE seq NOT BETWEEN 1 AND ${LAST_SEQ};
DELETE FROM task_events WHERE seq NOT BETWEEN 1 AND ${LAST_SEQ};
DELETE FROM sqlite_sequence WHERE name = 'task_events'
  AND (typeof(seq) <> 'integer' OR seq NOT BETWEEN 0 AND ${LAST_SEQ});
INSERT INTO sqlite_sequence (name, seq) SELECT 'task_events', coalesce(max(seq), 0) FROM task_events
  WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'task_events');
INSERT INTO task_events (task_id, event_type, timestamp_ms, message, data_json)
  SELECT task_id, event_type, timestamp_ms, message, data_json FROM odd_events ORDER BY seq;
DROP TABLE odd_events;
`);
}
