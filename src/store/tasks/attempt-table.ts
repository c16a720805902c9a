import type Database from 'better-sqlite3';
import type { Cause } from '../../task/causes.js';
import type { Usage } from '../../task/view.js';
import { jsonOrNull } from '../database/json.js';
import type { PastAttempt } from '../records.js';
import { RowReader } from '../row-reader.js';
import { isError, isTexts } from '../stored-shapes.js';

const COLUMNS = [
  ...['attempt', 'cause', 'exit_code', 'exit_signal', 'started_at_ms', 'finished_at_ms'],
  ...['stdout_bytes', 'stderr_bytes', 'usage_json', 'error_json', 'warnings_json'],
];

/** Columns as they were stored; the table's own rules say what may be in those that have a type here. */
interface AttemptRow extends Record<string, unknown> {
  attempt: number;
  cause: Cause;
  finished_at_ms: number;
  stdout_bytes: number;
  stderr_bytes: number;
}

/** The attempts of tasks that were not their last. */
export class AttemptTable {
  readonly #insert: Database.Statement<[Record<string, unknown>]>;
  readonly #ofTask: Database.Statement<[string], AttemptRow>;
  readonly #one: Database.Statement<[string, number], AttemptRow>;

  constructor(db: Database.Database) {
    const names = ['task_id', 'launch_id', ...COLUMNS];
    this.#insert = db.prepare(
      `INSERT INTO attempts (${names.join(', ')}) VALUES (${names.map((name) => `@${name}`).join(', ')})`,
    );
    const select = `SELECT ${COLUMNS.join(', ')} FROM attempts WHERE task_id = ?`;
    this.#ofTask = db.prepare(`${select} ORDER BY attempt`);
    this.#one = db.prepare(`${select} AND attempt = ?`);
  }

  /** To be called in the transaction in which its task waits for another one. */
  insert(taskId: string, launchId: number, { usage, error, warnings, ...attempt }: PastAttempt): void {
    this.#insert.run({
      ...{ exit_code: null, exit_signal: null, started_at_ms: null, ...defined(attempt) },
      task_id: taskId,
      launch_id: launchId,
      usage_json: jsonOrNull(usage),
      error_json: jsonOrNull(error),
      warnings_json: warnings.length > 0 ? JSON.stringify(warnings) : null,
    });
  }

  /** In their order. */
  ofTask(taskId: string): PastAttempt[] {
    return this.#ofTask.all(taskId).map(toAttempt);
  }

  one(taskId: string, attempt: number): PastAttempt | undefined {
    const row = this.#one.get(taskId, attempt);
    return row && toAttempt(row);
  }
}

function defined(values: object): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function toAttempt(row: AttemptRow): PastAttempt {
  const reader = new RowReader();
  const whole = (name: string) => reader.whole(name, row[name]) ?? undefined;
  return {
    attempt: row.attempt,
    cause: row.cause,
    exit_code: whole('exit_code'),
    exit_signal: whole('exit_signal'),
    started_at_ms: reader.time('started_at_ms', row['started_at_ms']) ?? undefined,
    finished_at_ms: reader.time('finished_at_ms', row.finished_at_ms) ?? 0,
    stdout_bytes: row.stdout_bytes,
    stderr_bytes: row.stderr_bytes,
    usage: (reader.numbers('usage', row['usage_json'], 'duration_ms') ?? undefined) as Usage | undefined,
    error: reader.json('error', row['error_json'], isError) ?? {
      code: 'internal',
      message: 'cannot be read',
    },
    warnings: reader.json('warnings', row['warnings_json'], isTexts) ?? [],
  };
}
