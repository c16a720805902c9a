import type Database from 'better-sqlite3';
import type { CommandStatus } from '../task/commands.js';
import type { TransactionMember } from './database/group-commit.js';
import { parseJson } from './database/json.js';
import { RowReader } from './row-reader.js';

/** What a client says to a task; times are Unix milliseconds. */
export interface Command {
  seq: number;
  type: string;
  payload: unknown;
  idempotency_key: string | null;
  status: CommandStatus;
  created_at_ms: number;
  acknowledged_at_ms: number | null;
  finished_at_ms: number | null;
  /** Absent: none was said. */
  result?: unknown;
  error: string | null;
}

/** One that is new. */
export interface CommandInsert {
  type: string;
  payload: unknown;
  idempotency_key: string | undefined;
  at_ms: number;
}

/** How a task has carried one out. */
export interface CommandEnd {
  status: 'completed' | 'failed';
  result?: unknown;
  error?: string | undefined;
}

type Row = Omit<Command, 'payload' | 'result'> & { payload_json: string; result_json: string | null };

const COLUMNS = `seq, type, payload_json, idempotency_key, status, created_at_ms, acknowledged_at_ms, finished_at_ms, result_json,
  error`;
/** How long the payloads and results of a page are, all together, at most: but one command is always in it. Bytes. */
const PAGE_MAX_BYTES = 1_048_576;
const OPEN = "status IN ('pending', 'acknowledged')";

/** The attempt that says so is the one that the task is at. */
const OF_ATTEMPT = `EXISTS (SELECT 1 FROM tasks
  WHERE tasks.task_id = task_commands.task_id AND tasks.status = 'running' AND tasks.launch_id = @launch_id)`;

/** Commands of tasks, see the migration. What writes is to be called in a transaction. */
export class CommandTable implements TransactionMember {
  readonly #insert: Database.Statement<[Record<string, unknown>]>;
  readonly #acknowledge: Database.Statement<[Record<string, unknown>]>;
  readonly #finish: Database.Statement<[Record<string, unknown>]>;
  readonly #cancel: Database.Statement<[Record<string, unknown>]>;
  readonly #last: Database.Statement<[string], number | null>;
  readonly #bySeq: Database.Statement<[string, number], Row>;
  readonly #byKey: Database.Statement<[string, string], Row>;
  readonly #after: Database.Statement<[string, number, number], Row>;
  readonly #openAfter: Database.Statement<[string, number, number], Row>;
  readonly #lastOpen: Database.Statement<[string], number>;
  readonly #openSeqs: Database.Statement<[string], number>;
  /** Tasks that may have open commands: all that have, so that the end of any other costs nothing. */
  readonly #mayBeOpen: Set<string>;
  /** Those of them that have ended in this transaction. */
  readonly #ended: string[] = [];

  constructor(db: Database.Database) {
    this.#insert =
      db.prepare(`INSERT INTO task_commands (task_id, seq, type, payload_json, idempotency_key, status, created_at_ms)
      SELECT @task_id, @seq, @type, @payload, @idempotency_key, 'pending', @at_ms
      WHERE EXISTS (SELECT 1 FROM tasks WHERE task_id = @task_id AND status IN ('accepted', 'running'))`);
    this.#acknowledge =
      db.prepare(`UPDATE task_commands SET status = 'acknowledged', acknowledged_at_ms = @at_ms
      WHERE task_id = @task_id AND seq = @seq AND status = 'pending' AND ${OF_ATTEMPT}`);
    this.#finish =
      db.prepare(`UPDATE task_commands SET status = @status, acknowledged_at_ms = coalesce(acknowledged_at_ms, @at_ms),
      finished_at_ms = @at_ms, result_json = @result, error = @error
      WHERE task_id = @task_id AND seq = @seq AND ${OPEN} AND ${OF_ATTEMPT}`);
    this.#cancel = db.prepare(`UPDATE task_commands SET status = 'cancelled', finished_at_ms = @at_ms
      WHERE task_id = @task_id AND ${OPEN}`);
    this.#last = db
      .prepare<[string], number | null>('SELECT max(seq) FROM task_commands WHERE task_id = ?')
      .pluck();
    this.#bySeq = db.prepare(`SELECT ${COLUMNS} FROM task_commands WHERE task_id = ? AND seq = ?`);
    this.#byKey = db.prepare(
      `SELECT ${COLUMNS} FROM task_commands WHERE task_id = ? AND idempotency_key = ?`,
    );
    this.#after = db.prepare(
      `SELECT ${COLUMNS} FROM task_commands WHERE task_id = ? AND seq > ? ORDER BY seq LIMIT ?`,
    );
    this.#openAfter = db.prepare(`SELECT ${COLUMNS} FROM task_commands INDEXED BY idx_task_commands_open
      WHERE task_id = ? AND seq > ? AND ${OPEN} ORDER BY seq LIMIT ?`);
    this.#lastOpen = db
      .prepare<[string], number>(
        `SELECT coalesce(max(seq), 0) FROM task_commands INDEXED BY idx_task_commands_open WHERE task_id = ? AND ${OPEN}`,
      )
      .pluck();
    this.#openSeqs = db
      .prepare<[string], number>(
        `SELECT seq FROM task_commands INDEXED BY idx_task_commands_open WHERE task_id = ? AND ${OPEN} ORDER BY seq`,
      )
      .pluck();
    const open = db
      .prepare<[], string>(
        `SELECT DISTINCT task_id FROM task_commands INDEXED BY idx_task_commands_open WHERE ${OPEN}`,
      )
      .pluck();
    this.#mayBeOpen = new Set(open.all());
  }

  /**
   * The next command of a task that has not ended.
   * @throws Error when it has
   */
  add(taskId: string, { type, payload, idempotency_key, at_ms }: CommandInsert): Command {
    const seq = this.lastSeq(taskId) + 1;
    const added = this.#insert.run({
      ...{ task_id: taskId, seq, type, payload: JSON.stringify(payload) },
      ...{ idempotency_key: idempotency_key ?? null, at_ms },
    });
    const command = added.changes === 1 ? this.get(taskId, seq) : undefined;
    if (command === undefined) throw new Error(`task ${taskId} has ended`);
    this.#mayBeOpen.add(taskId);
    return command;
  }

  /** The task has read it. False: it had before, or it is over, or the task is at another attempt. */
  acknowledge(taskId: string, seq: number, launchId: number, atMs: number): boolean {
    return this.#acknowledge.run({ task_id: taskId, seq, launch_id: launchId, at_ms: atMs }).changes === 1;
  }

  /** The task has carried it out, and so has read it. False: it is over, or the task is at another attempt. */
  finish(taskId: string, seq: number, launchId: number, end: CommandEnd, atMs: number): boolean {
    const values = {
      ...{ task_id: taskId, seq, launch_id: launchId, at_ms: atMs, status: end.status },
      result: end.result === undefined ? null : JSON.stringify(end.result),
      error: end.error ?? null,
    };
    return this.#finish.run(values).changes === 1;
  }

  /** The numbers of its open commands. Costs nothing for a task that has had none. */
  openSeqs(taskId: string): number[] {
    return this.#mayBeOpen.has(taskId) ? this.#openSeqs.all(taskId) : [];
  }

  /** The task has ended: none of its commands is open any more. */
  cancelOpen(taskId: string, atMs: number): void {
    if (!this.#mayBeOpen.has(taskId)) return;
    this.#cancel.run({ task_id: taskId, at_ms: atMs });
    this.#ended.push(taskId);
  }

  /** The number of the last command that a task has had; 0 when it has had none. */
  lastSeq(taskId: string): number {
    return this.#last.get(taskId) ?? 0;
  }

  get(taskId: string, seq: number): Command | undefined {
    return read(this.#bySeq.get(taskId, seq));
  }

  withKey(taskId: string, key: string): Command | undefined {
    return read(this.#byKey.get(taskId, key));
  }

  /** Those with a higher number, in their order, as many as a page may have of bytes. @param isOpen only those that are open */
  after(taskId: string, seq: number, limit: number, isOpen: boolean): Command[] {
    const found: Command[] = [];
    let bytes = 0;
    for (const row of (isOpen ? this.#openAfter : this.#after).iterate(taskId, seq, limit)) {
      bytes += Buffer.byteLength(row.payload_json) + Buffer.byteLength(row.result_json ?? '');
      if (found.length > 0 && bytes > PAGE_MAX_BYTES) break;
      found.push(readRow(row));
    }
    return found;
  }

  /** Whether one with a higher number is open. */
  hasOpenAfter(taskId: string, seq: number): boolean {
    return this.#mayBeOpen.has(taskId) && (this.#lastOpen.get(taskId) ?? 0) > seq;
  }

  mark(): number {
    return this.#ended.length;
  }

  rewind(mark: number): void {
    this.#ended.length = mark;
  }

  committed(): void {
    for (const taskId of this.#ended) this.#mayBeOpen.delete(taskId);
    this.#ended.length = 0;
  }
}

function read(row: Row | undefined): Command | undefined {
  return row && readRow(row);
}

function readRow({ payload_json, result_json, ...row }: Row): Command {
  const reader = new RowReader();
  const command: Command = {
    ...row,
    created_at_ms: reader.time('created_at_ms', row.created_at_ms) ?? 0,
    acknowledged_at_ms: reader.time('acknowledged_at_ms', row.acknowledged_at_ms),
    finished_at_ms: reader.time('finished_at_ms', row.finished_at_ms),
    payload: parseJson(payload_json),
  };
  if (result_json !== null) command.result = parseJson(result_json);
  return command;
}
