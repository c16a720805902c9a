import type Database from 'better-sqlite3';
import type { TerminalStatus } from '../task/states.js';

/** How many ended tasks there are, by how they ended. */
type Ends = Record<TerminalStatus, number>;

export const NO_ENDS: Readonly<Ends> = { success: 0, failed: 0, cancelled: 0 };

const COLUMNS = Object.keys(NO_ENDS) as TerminalStatus[];

/** The queue, or queue and lane. */
type Key = string[];

/** One table of counts by queue, or by queue and lane. */
class EndTable {
  readonly #add: Record<TerminalStatus, Database.Statement<Key>>;
  readonly #subtract: Record<TerminalStatus, Database.Statement<Key>>;
  readonly #forget: Database.Statement<Key>;

  constructor(db: Database.Database, table: string, key: readonly string[]) {
    const names = key.join(', ');
    const values = key.map(() => '?').join(', ');
    const where = `WHERE ${key.map((name) => `${name} = ?`).join(' AND ')}`;
    const each = (sql: (column: TerminalStatus) => string) =>
      Object.fromEntries(COLUMNS.map((column) => [column, db.prepare(sql(column))])) as Record<
        TerminalStatus,
        Database.Statement<Key>
      >;
    this.#add = each(
      (column) => `INSERT INTO ${table} (${names}, ${column}) VALUES (${values}, 1)
        ON CONFLICT (${names}) DO UPDATE SET ${column} = ${column} + 1`,
    );
    this.#subtract = each((column) => `UPDATE ${table} SET ${column} = ${column} - 1 ${where}`);
    this.#forget = db.prepare(`DELETE FROM ${table} ${where} AND ${COLUMNS.join(' + ')} <= 0`);
  }

  add(status: TerminalStatus, ...key: Key): void {
    this.#add[status].run(...key);
  }

  subtract(status: TerminalStatus, ...key: Key): void {
    this.#subtract[status].run(...key);
    this.#forget.run(...key);
  }
}

/**
 * How many ended tasks of each queue and lane there are. Changed in the transactions that end and delete tasks, so that nobody
 * has to count them.
 */
export class QueueEnds {
  readonly #queues: EndTable;
  readonly #lanes: EndTable;
  readonly #ofQueue: Database.Statement<[string], Ends>;
  readonly #ofLane: Database.Statement<[string, string], Ends>;
  readonly #lanesOf: Database.Statement<[string, number], string>;
  readonly #names: Database.Statement<[string, number], string>;

  constructor(db: Database.Database) {
    this.#queues = new EndTable(db, 'queue_ends', ['queue']);
    this.#lanes = new EndTable(db, 'lane_ends', ['queue', 'lane']);
    const columns = COLUMNS.join(', ');
    this.#ofQueue = db.prepare(`SELECT ${columns} FROM queue_ends WHERE queue = ?`);
    this.#ofLane = db.prepare(`SELECT ${columns} FROM lane_ends WHERE queue = ? AND lane = ?`);
    this.#lanesOf = db
      .prepare<[string, number], string>('SELECT lane FROM lane_ends WHERE queue = ? ORDER BY lane LIMIT ?')
      .pluck();
    this.#names = db
      .prepare<[string, number], string>(
        'SELECT queue FROM queue_ends WHERE queue > ? ORDER BY queue LIMIT ?',
      )
      .pluck();
  }

  /** To be called in the transaction that ends a task, with what its row says of where it belongs. */
  ended(queue: unknown, lane: unknown, status: TerminalStatus): void {
    if (typeof queue !== 'string') return;
    this.#queues.add(status, queue);
    if (typeof lane === 'string') this.#lanes.add(status, queue, lane);
  }

  /** To be called in the transaction that deletes a task. */
  deleted(queue: unknown, lane: unknown, status: TerminalStatus): void {
    if (typeof queue !== 'string') return;
    this.#queues.subtract(status, queue);
    if (typeof lane === 'string') this.#lanes.subtract(status, queue, lane);
  }

  /** Undefined when the queue has no ended task. */
  ofQueue(queue: string): Ends | undefined {
    return this.#ofQueue.get(queue);
  }

  ofLane(queue: string, lane: string): Ends {
    return this.#ofLane.get(queue, lane) ?? NO_ENDS;
  }

  /** Lanes of a queue that have ended tasks, by name, in the order of its bytes. */
  lanesOf(queue: string, limit: number): string[] {
    return this.#lanesOf.all(queue, limit);
  }

  /** Queues that have ended tasks, those after `after` in the order of the bytes of their names. */
  names(after: string, limit: number): string[] {
    return this.#names.all(after, limit);
  }
}
