import { randomUUID } from 'node:crypto';
import Database from 'better-sqlite3';

/** The history begins so long ago, in milliseconds, and is over before the present. */
const BEGAN_BEFORE_MS = 30 * 24 * 3_600_000;
/** Time between two copies, in milliseconds. */
const GAP_MS = 5;
/** Copies written in one transaction: its pages wait in memory for the commit. */
const COPIES_A_TRANSACTION = 16;
/** Memory for pages meanwhile, in KiB: indexes of random ids are written all over. */
const CACHE_KIB = 2_000_000;

export interface SeedOptions {
  /** A database that no daemon holds; it grows. */
  database: string;
  /** Its data directory, absolute: where the paths of the copies lie. */
  dataDir: string;
  /** A database that holds ended tasks only, written by a real daemon. */
  templates: string;
  /** Its data directory, absolute. */
  templatesDir: string;
  /** How many ended tasks to add; rounded up to whole copies of the templates. */
  count: number;
}

/**
 * Adds ended tasks to the database of a daemon that is stopped: copies of real ones under new ids, with new launches,
 * seqs and times, and with their events, idempotency keys and counters, as if the daemon had run them. Makes no files.
 * The ids are random, as clients make them: in the indexes neighbours lie far from each other, which costs most.
 * @returns how many were added
 */
export function seedFinished(options: SeedOptions): number {
  const db = new Database(options.database, { fileMustExist: true });
  try {
    db.pragma('synchronous = OFF');
    db.pragma('foreign_keys = OFF');
    db.pragma(`cache_size = -${CACHE_KIB}`);
    db.function('new_uuid', { deterministic: false }, () => randomUUID());
    db.prepare('ATTACH ? AS templates').run(options.templates);
    const copy = prepareCopy(db, options);
    let added = 0;
    while (added < options.count)
      db.transaction(() => {
        for (let i = 0; i < COPIES_A_TRANSACTION && added < options.count; i++) added += copy();
      })();
    db.pragma('wal_checkpoint(TRUNCATE)');
    return added;
  } finally {
    db.close();
  }
}

/** What the templates take of each sequence. */
interface Span {
  tasks: number;
  first_seq: number;
  launches: number;
  versions: number;
  first_ms: number;
  ms: number;
}

/** @returns what adds one copy of all templates, and says how many tasks that was */
function prepareCopy(db: Database.Database, { dataDir, templatesDir }: SeedOptions): () => number {
  const span = db
    .prepare<[], Span>(
      `SELECT count(*) AS tasks, (SELECT min(seq) FROM templates.task_events) AS first_seq, max(launch_id) AS launches, max(version) AS versions,
        min(created_at_ms) AS first_ms, max(finished_at_ms) - min(created_at_ms) + ${GAP_MS} AS ms FROM templates.tasks`,
    )
    .get()!;
  db.exec('CREATE TEMP TABLE ids (old TEXT PRIMARY KEY, new TEXT NOT NULL) WITHOUT ROWID');
  const last = db.prepare<[], { seq: number; launch: number; version: number }>(
    `SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'task_events'), 0) AS seq,
      (SELECT value FROM meta WHERE key = 'last_launch_id') AS launch,
      (SELECT value FROM meta WHERE key = 'last_version') AS version`,
  );
  const steps = [
    'DELETE FROM ids',
    'INSERT INTO ids SELECT task_id, new_uuid() FROM templates.tasks',
    insertTasks(db),
    `INSERT INTO task_events (seq, task_id, event_type, timestamp_ms, message, data_json)
      SELECT seq + @seq, new, event_type, timestamp_ms + @ms, message, data_json
      FROM templates.task_events JOIN ids ON old = task_id ORDER BY seq`,
    `INSERT INTO idempotency_keys (tenant, key, request_hash, task_id, created_at_ms)
      SELECT tenant, key || '-' || new, request_hash, new, created_at_ms + @ms
      FROM templates.idempotency_keys JOIN ids ON old = task_id`,
    `INSERT INTO counters (name, value) SELECT name, value FROM templates.counters WHERE true
      ON CONFLICT (name) DO UPDATE SET value = value + excluded.value`,
    endsOf('queue_ends', 'queue'),
    endsOf('lane_ends', 'queue, lane'),
    "UPDATE meta SET value = @launch + @launches WHERE key = 'last_launch_id'",
    "UPDATE meta SET value = @version + @versions WHERE key = 'last_version'",
  ].map((sql) => db.prepare<[Record<string, unknown>]>(sql));
  const rows = db.prepare('SELECT count(*) FROM tasks').pluck().get() as number;
  let atMs = Date.now() - BEGAN_BEFORE_MS + Math.ceil(rows / span.tasks) * span.ms;
  return () => {
    const { seq, launch, version } = last.get()!;
    const shift = {
      seq: seq + 1 - span.first_seq,
      launch,
      launches: span.launches,
      version,
      versions: span.versions,
      ms: atMs - span.first_ms,
    };
    for (const step of steps) step.run({ ...shift, from: templatesDir, to: dataDir });
    atMs += span.ms;
    return span.tasks;
  };
}

/** Adds how many of each queue, or lane, have ended. */
function endsOf(table: string, key: string): string {
  const counted = ['success', 'failed', 'cancelled'];
  const sums = counted.map((name) => `${name} = ${name} + excluded.${name}`);
  return `INSERT INTO ${table} (${key}, ${counted.join(', ')}) SELECT ${key}, ${counted.join(', ')} FROM templates.${table}
      WHERE true ON CONFLICT (${key}) DO UPDATE SET ${sums.join(', ')}`;
}

/** Copies every column there is; those that tell one task from another get values of their own. */
function insertTasks(db: Database.Database): string {
  const columns = db.prepare<[], string>("SELECT name FROM pragma_table_info('tasks')").pluck().all();
  return `INSERT INTO tasks (${columns.join(', ')}) SELECT ${columns.map(valueOf).join(', ')}
    FROM templates.tasks JOIN ids ON old = task_id ORDER BY submit_seq`;
}

function valueOf(column: string): string {
  if (column === 'task_id' || column === 'handle_id') return 'new';
  if (column === 'submit_seq') return 'submit_seq + @seq';
  if (column === 'launch_id') return 'launch_id + @launch';
  if (column === 'version') return 'version + @version';
  if (column === 'launch_token') return 'CASE WHEN launch_token IS NOT NULL THEN new_uuid() END';
  if (column === 'request_json') return 'replace(request_json, old, new)';
  if (/_(dir|path)$/.test(column)) return `replace(replace(${column}, @from, @to), old, new)`;
  if (/_at_ms$|^ages_from_ms$/.test(column)) return `${column} + @ms`;
  return column;
}
