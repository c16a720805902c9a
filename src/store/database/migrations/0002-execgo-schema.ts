import type { Migration } from './migration.js';
import { tameOlderRows } from './tame-older-rows.js';

const TERMINAL = "('success', 'failed', 'cancelled')";
const ended = `t.status IN ${TERMINAL}`;
const waiting = `t.status = 'accepted'`;

/** A member of the old row's control context; null where there is none or it is not JSON. */
const context = (member: string) =>
  `CASE WHEN json_valid(t.control_context_json) THEN json_extract(t.control_context_json, '$.${member}') END`;

/** Keeps what is true of a row that runs or has run; a row that waits has not. */
const unlessWaiting = (column: string) => `CASE WHEN ${waiting} THEN NULL ELSE t.${column} END`;

/** The older runtime had no cause: it follows from status, error code and exit. */
const cause = `CASE
    WHEN NOT ${ended} THEN NULL
    WHEN t.status = 'success' THEN 'exit'
    WHEN t.status = 'cancelled' THEN 'cancelled'
    WHEN t.error_code = 'timeout' OR t.timeout_triggered THEN 'timeout'
    WHEN t.error_code = 'cancelled' THEN 'cancelled'
    WHEN t.error_code = 'memory_limit_exceeded' THEN 'oom'
    WHEN t.error_code = 'cpu_limit_exceeded' THEN 'cpu'
    WHEN t.error_code IN ('launch_failed', 'insufficient_resources') THEN 'launch'
    WHEN t.error_code IN ('sandbox_setup_failed', 'unsupported_capability') THEN 'sandbox'
    WHEN t.error_code = 'exit_nonzero' THEN 'exit'
    WHEN t.exit_signal IS NOT NULL THEN 'signal'
    WHEN t.exit_code IS NOT NULL THEN 'exit'
    ELSE 'lost' END`;

/** Old column → its value in the new table; columns that are not named here are copied as they are. */
const CONVERTED: Record<string, string> = {
  // Seqs are unique, so first seqs are; tasks without events come before all others, the oldest first.
  submit_seq: `coalesce(e.first_seq, -row_number() OVER (PARTITION BY e.first_seq IS NULL ORDER BY t.created_at_ms DESC, t.task_id DESC))`,
  cause,
  started_at_ms: unlessWaiting('started_at_ms'),
  finished_at_ms: `CASE WHEN ${ended} THEN coalesce(t.finished_at_ms, t.updated_at_ms) END`,
  shim_pid: unlessWaiting('shim_pid'),
  pid: unlessWaiting('pid'),
  pgid: unlessWaiting('pgid'),
  kill_requested: 't.kill_requested <> 0 OR t.kill_requested_at_ms IS NOT NULL',
  kill_requested_at_ms: `coalesce(t.kill_requested_at_ms, CASE WHEN t.kill_requested <> 0 THEN t.updated_at_ms END)`,
  timeout_triggered: 't.timeout_triggered <> 0',
  reserved_at_ms: 'coalesce(t.reserved_at_ms, t.released_at_ms)',
  released_at_ms: `CASE
    WHEN t.released_at_ms IS NOT NULL OR t.reserved_at_ms IS NULL THEN t.released_at_ms
    WHEN ${ended} THEN coalesce(t.finished_at_ms, t.updated_at_ms)
    WHEN ${waiting} THEN now_ms() END`,
  queue: `coalesce(${context('queue')}, 'default')`,
  lane: context('lane'),
  tenant: context('tenant'),
  owner: context('owner'),
  session_id: context('session_id'),
  priority: '0',
};

const COPIED = [
  ...['task_id', 'handle_id', 'status', 'created_at_ms', 'updated_at_ms', 'duration_ms', 'exit_code'],
  ...['exit_signal', 'stdout_max_bytes', 'stderr_max_bytes', 'error_code', 'task_dir', 'workspace_dir'],
  ...['request_path', 'result_path', 'stdout_path', 'stderr_path', 'script_path', 'error_json', 'usage_json'],
  ...['reservation_json', 'limits_json', 'sandbox_json', 'metadata_json', 'control_context_json'],
  ...['execution_plan_json', 'execution_json', 'result_json'],
];

/** Sets the counters to what they would be if they had been kept from the start. */
const SEED_COUNTERS = `
INSERT INTO counters (name, value)
  SELECT 'entered.accepted', count(*) FROM tasks
  UNION ALL SELECT 'entered.running', count(*) FROM tasks WHERE status = 'running' OR started_at_ms IS NOT NULL
  UNION ALL SELECT 'entered.' || status, count(*) FROM tasks WHERE status IN ${TERMINAL} GROUP BY status
  UNION ALL SELECT 'error.' || error_code, count(*) FROM tasks
    WHERE status IN ${TERMINAL} AND error_code IS NOT NULL GROUP BY error_code
  UNION ALL SELECT 'duration.sum', coalesce(sum(duration_ms), 0) FROM tasks
    WHERE status IN ${TERMINAL} AND started_at_ms IS NOT NULL
  UNION ALL SELECT 'duration.le.' || CASE
      WHEN duration_ms <= 100 THEN '100' WHEN duration_ms <= 250 THEN '250' WHEN duration_ms <= 500 THEN '500'
      WHEN duration_ms <= 1000 THEN '1000' WHEN duration_ms <= 5000 THEN '5000' WHEN duration_ms <= 10000 THEN '10000'
      WHEN duration_ms <= 30000 THEN '30000' WHEN duration_ms <= 60000 THEN '60000'
      WHEN duration_ms <= 300000 THEN '300000' ELSE 'inf' END AS bucket, count(*)
    FROM tasks WHERE status IN ${TERMINAL} AND started_at_ms IS NOT NULL AND duration_ms IS NOT NULL GROUP BY bucket;
`;

/**
 * Our schema: the older runtime's tables with the same column names, our columns beside them, and the invariants as CHECKs.
 * Rules that older rows may break hold only for rows with a launch id, which no row of the older runtime has.
 *
 * `submit_seq` is the rowid, so that the order of submission needs no index of its own. The long texts come last, so that
 * reading the short columns of a row never reads its overflow pages.
 */
export const execgoSchema: Migration = {
  id: 2,
  name: 'execgo-schema',
  before: tameOlderRows,
  sql: `
CREATE TABLE tasks_rebuilt (
  submit_seq INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL UNIQUE,
  handle_id TEXT NOT NULL,
  status TEXT NOT NULL,
  cause TEXT,
  priority INTEGER NOT NULL DEFAULT 0,
  queue TEXT NOT NULL DEFAULT 'default',
  lane TEXT,
  tenant TEXT,
  owner TEXT,
  session_id TEXT,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  started_at_ms INTEGER,
  finished_at_ms INTEGER,
  duration_ms INTEGER,
  launch_id INTEGER,
  launch_token TEXT,
  incarnation TEXT,
  shim_pid INTEGER,
  pid INTEGER,
  pgid INTEGER,
  start_ticks INTEGER,
  exit_code INTEGER,
  exit_signal INTEGER,
  stdout_bytes INTEGER,
  stderr_bytes INTEGER,
  stdout_max_bytes INTEGER NOT NULL,
  stderr_max_bytes INTEGER NOT NULL,
  kill_requested INTEGER NOT NULL DEFAULT 0,
  kill_requested_at_ms INTEGER,
  timeout_triggered INTEGER NOT NULL DEFAULT 0,
  reserved_at_ms INTEGER,
  released_at_ms INTEGER,
  error_code TEXT,
  task_dir TEXT NOT NULL,
  workspace_dir TEXT NOT NULL,
  request_path TEXT NOT NULL,
  result_path TEXT NOT NULL,
  stdout_path TEXT NOT NULL,
  stderr_path TEXT NOT NULL,
  script_path TEXT,
  error_json TEXT,
  usage_json TEXT,
  reservation_json TEXT,
  limits_json TEXT NOT NULL,
  sandbox_json TEXT NOT NULL,
  metadata_json TEXT NOT NULL,
  control_context_json TEXT,
  execution_plan_json TEXT,
  execution_json TEXT NOT NULL,
  request_json TEXT,
  result_json TEXT,
  CONSTRAINT status_known CHECK (status IN ('accepted', 'running', 'success', 'failed', 'cancelled')),
  CONSTRAINT cause_known CHECK (cause IN
    ('exit', 'signal', 'timeout', 'cancelled', 'oom', 'cpu', 'output', 'launch', 'sandbox', 'queue_timeout', 'lost')),
  CONSTRAINT flags CHECK (kill_requested IN (0, 1) AND timeout_triggered IN (0, 1)),
  CONSTRAINT ended_has_time_and_cause CHECK
    ((status IN ${TERMINAL}) = (finished_at_ms IS NOT NULL) AND (status IN ${TERMINAL}) = (cause IS NOT NULL)),
  CONSTRAINT waiting_has_not_begun CHECK
    (status <> 'accepted' OR (started_at_ms IS NULL AND launch_id IS NULL AND pid IS NULL)),
  CONSTRAINT kill_has_time CHECK (kill_requested = (kill_requested_at_ms IS NOT NULL)),
  CONSTRAINT only_reserved_is_released CHECK (released_at_ms IS NULL OR reserved_at_ms IS NOT NULL),
  CONSTRAINT only_running_holds CHECK (status = 'running' OR reserved_at_ms IS NULL OR released_at_ms IS NOT NULL),
  CONSTRAINT launched CHECK (launch_id IS NULL OR (launch_token IS NOT NULL AND incarnation IS NOT NULL
    AND reserved_at_ms IS NOT NULL AND (status <> 'running' OR released_at_ms IS NULL))),
  CONSTRAINT one_exit CHECK (launch_id IS NULL OR exit_code IS NULL OR exit_signal IS NULL),
  CONSTRAINT success_is_exit_0 CHECK (launch_id IS NULL OR status <> 'success' OR exit_code = 0)
);
INSERT INTO tasks_rebuilt (${[...COPIED, ...Object.keys(CONVERTED)].join(', ')})
  SELECT ${[...COPIED.map((c) => `t.${c}`), ...Object.values(CONVERTED)].join(', ')}
  FROM tasks t
  LEFT JOIN (SELECT task_id, min(seq) AS first_seq FROM task_events GROUP BY task_id) e ON e.task_id = t.task_id;

CREATE TABLE task_events_rebuilt (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  event_type TEXT NOT NULL,
  timestamp_ms INTEGER NOT NULL,
  message TEXT,
  data_json TEXT
);
-- Events whose task was deleted would become another task's history if its id came back.
INSERT INTO task_events_rebuilt (seq, task_id, event_type, timestamp_ms, message, data_json)
  SELECT seq, task_id, event_type, timestamp_ms, message, data_json FROM task_events
  WHERE task_id IN (SELECT task_id FROM tasks) ORDER BY seq;
DELETE FROM sqlite_sequence WHERE name = 'task_events_rebuilt';
INSERT INTO sqlite_sequence (name, seq)
  SELECT 'task_events_rebuilt', seq FROM sqlite_sequence WHERE name = 'task_events';
INSERT INTO task_events_rebuilt (task_id, event_type, timestamp_ms, data_json)
  SELECT t.task_id, 'resource_released', now_ms(),
    CASE WHEN json_valid(t.reservation_json) THEN json_object('reservation', json(t.reservation_json)) END
  FROM tasks t WHERE ${waiting} AND t.reserved_at_ms IS NOT NULL AND t.released_at_ms IS NULL ORDER BY t.created_at_ms;

DROP TABLE task_events;
DROP TABLE tasks;
ALTER TABLE tasks_rebuilt RENAME TO tasks;
ALTER TABLE task_events_rebuilt RENAME TO task_events;
CREATE INDEX idx_tasks_status_created ON tasks (status, created_at_ms);
CREATE INDEX idx_tasks_finished ON tasks (finished_at_ms);
CREATE INDEX idx_task_events_task_seq ON task_events (task_id, seq);
-- Each of these ends with the rowid, which is submit_seq: they serve pages in the order of submission.
CREATE INDEX idx_tasks_status ON tasks (status);
CREATE INDEX idx_tasks_tenant ON tasks (tenant) WHERE tenant IS NOT NULL;
CREATE INDEX idx_tasks_session ON tasks (session_id) WHERE session_id IS NOT NULL;

CREATE TABLE idempotency_keys (
  tenant TEXT NOT NULL,
  key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  task_id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant, key)
) WITHOUT ROWID;
CREATE TABLE supervisors (
  incarnation TEXT PRIMARY KEY,
  pid INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('last_launch_id', 0), ('probed_at_ms', 0);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
${SEED_COUNTERS}`,
};
