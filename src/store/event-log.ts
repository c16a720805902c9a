import type Database from 'better-sqlite3';
import type { TransactionMember } from './database/group-commit.js';
import { ExecgoError } from '../task/errors.js';
import { parseJson } from './database/json.js';
import { RowReader } from './row-reader.js';
import type { EventFilter, EventType, NewEvent, TaskEvent } from '../task/events.js';
import { EventSearch } from './event-search.js';

/** Columns as they were stored: an older database may hold anything in those typed `unknown`. */
interface EventRow {
  seq: number;
  task_id: string;
  event_type: unknown;
  timestamp_ms: unknown;
  message: unknown;
  data_json: unknown;
}

const NAMES = ['seq', 'task_id', 'event_type', 'timestamp_ms', 'message', 'data_json'];
const COLUMNS = NAMES.join(', ');

/** The events of all tasks, in one sequence that never reuses a number. */
export class EventLog implements TransactionMember {
  /** The statement that inserts n events at once is at index n. */
  readonly #inserts: (Database.Statement | undefined)[] = [];
  readonly #ofTask: Database.Statement<[string, number, number], EventRow>;
  readonly #ofAll: Database.Statement<[number, number], EventRow>;
  readonly #numberOf: Database.Statement<[string, number], number>;
  readonly #search: EventSearch<EventRow>;
  #written: number;
  #committed: number;

  constructor(private readonly db: Database.Database) {
    this.#ofTask = db.prepare(
      `SELECT ${COLUMNS} FROM task_events WHERE task_id = ? AND seq > ? ORDER BY seq LIMIT ?`,
    );
    this.#ofAll = db.prepare(`SELECT ${COLUMNS} FROM task_events WHERE seq > ? ORDER BY seq LIMIT ?`);
    this.#numberOf = db
      .prepare<[string, number], number>('SELECT count(*) FROM task_events WHERE task_id = ? AND seq <= ?')
      .pluck();
    this.#search = new EventSearch(db, NAMES);
    const ever = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'task_events'").pluck().get();
    const last = db.prepare('SELECT max(seq) FROM task_events').pluck().get();
    // Even if SQLite's own count is wrong: a number that is in the table must not be given again.
    this.#written = this.#committed = Math.max(0, ...[ever, last].filter((seq) => typeof seq === 'number'));
    if (this.#committed >= Number.MAX_SAFE_INTEGER)
      throw new ExecgoError(
        'internal',
        'the numbers of events are used up (task_events.seq): restore a backup of the database',
      );
  }

  /** The seq that the next event of this transaction gets. */
  get next(): number {
    return this.#written + 1;
  }

  /** Seq of the newest committed event; 0 when there has never been one. Costs nothing. */
  get last(): number {
    return this.#committed;
  }

  /** Writes the events in their order, with consecutive seqs. */
  append(taskId: string, events: readonly NewEvent[]): TaskEvent[] {
    if (events.length === 0) return [];
    const values: unknown[] = [];
    const told: TaskEvent[] = [];
    for (const { event_type, timestamp_ms, message = null, data = null } of events) {
      const seq = ++this.#written;
      values.push(
        seq,
        taskId,
        event_type,
        timestamp_ms,
        message,
        data === null ? null : JSON.stringify(data),
      );
      told.push({ seq, task_id: taskId, event_type, timestamp_ms, message, data });
    }
    this.#insert(events.length).run(values);
    return told;
  }

  /** Events of one task with `seq > afterSeq`, all of them without a limit. */
  ofTask(taskId: string, afterSeq: number, limit: number | undefined): TaskEvent[] {
    return this.#numbered(this.#ofTask.all(taskId, afterSeq, limit ?? -1).map(toEvent));
  }

  /** Events of all tasks with `seq > afterSeq`. */
  ofAll(afterSeq: number, limit: number): TaskEvent[] {
    return this.#numbered(this.#ofAll.all(afterSeq, limit).map(toEvent));
  }

  /**
   * Events with `seq > afterSeq` that pass, as far as a bounded part of the log has them.
   * @param signal ends a search whose client has gone
   */
  async where(
    filter: EventFilter,
    afterSeq: number,
    limit: number,
    signal?: AbortSignal,
  ): Promise<{ events: TaskEvent[]; lastSeq: number; isEnd: boolean }> {
    const { rows, lastSeq, isEnd } = await this.#search.after(filter, afterSeq, limit, signal);
    const events = rows.map(toEvent);
    for (const event of events) event.task_seq = this.#numberOf.get(event.task_id, event.seq);
    return { events, lastSeq, isEnd };
  }

  /** Numbers events between the first and last of which none is left out. */
  #numbered(events: TaskEvent[]): TaskEvent[] {
    const last = new Map<string, number>();
    for (const event of events) {
      const before = last.get(event.task_id);
      event.task_seq =
        before === undefined ? (this.#numberOf.get(event.task_id, event.seq) ?? 1) : before + 1;
      last.set(event.task_id, event.task_seq);
    }
    return events;
  }

  mark(): number {
    return this.#written;
  }

  rewind(mark: number): void {
    this.#written = mark;
  }

  committed(): void {
    this.#committed = this.#written;
  }

  #insert(count: number): Database.Statement {
    return (this.#inserts[count] ??= this.db.prepare(
      `INSERT INTO task_events (${COLUMNS}) VALUES ${Array(count).fill('(?, ?, ?, ?, ?, ?)').join(', ')}`,
    ));
  }
}

function toEvent({ seq, task_id, ...row }: EventRow): TaskEvent {
  const reader = new RowReader();
  return {
    seq,
    task_id,
    // A type that nobody knows has no words of its own.
    event_type: (reader.text('event_type', row.event_type) ?? 'unknown') as EventType,
    timestamp_ms: reader.time('timestamp_ms', row.timestamp_ms) ?? 0,
    message: reader.text('message', row.message),
    data: typeof row.data_json === 'string' ? parseJson(row.data_json) : null,
  };
}
