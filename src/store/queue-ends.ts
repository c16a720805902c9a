import type Database from 'better-sqlite3';
import type { TerminalStatus } from '../task/states.js';
import type { TransactionMember } from './database/group-commit.js';

/** How many ended tasks there are, by how they ended. */
type Ends = Record<TerminalStatus, number>;

export const NO_ENDS: Readonly<Ends> = { success: 0, failed: 0, cancelled: 0 };

const COLUMNS = Object.keys(NO_ENDS) as TerminalStatus[];

/** The queue, or queue and lane. */
type Key = readonly string[];

/** One table of counts by queue, or by queue and lane. */
class EndTable {
  readonly #add: Database.Statement<(string | number)[]>;
  readonly #subtract: Database.Statement<(string | number)[]>;
  readonly #forget: Database.Statement<string[]>;

  constructor(db: Database.Database, table: string, key: readonly string[]) {
    const names = [...key, ...COLUMNS];
    const where = `WHERE ${key.map((name) => `${name} = ?`).join(' AND ')}`;
    const each = (change: (column: string) => string) => COLUMNS.map(change).join(', ');
    this.#add =
      db.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})
      ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${each((c) => `${c} = ${c} + excluded.${c}`)}`);
    this.#subtract = db.prepare(`UPDATE ${table} SET ${each((c) => `${c} = ${c} - ?`)} ${where}`);
    this.#forget = db.prepare(`DELETE FROM ${table} ${where} AND ${COLUMNS.join(' + ')} <= 0`);
  }

  /** Adds first: what has ended and was deleted in one transaction is there in between. */
  write({ key, added, removed }: Change): void {
    if (isAny(added)) this.#add.run(...key, ...numbers(added));
    if (!isAny(removed)) return;
    this.#subtract.run(...numbers(removed), ...key);
    this.#forget.run(...key);
  }
}

/** What a transaction changes of one row. */
interface Change {
  key: Key;
  added: Ends;
  removed: Ends;
}

const numbers = (ends: Ends) => COLUMNS.map((column) => ends[column]);
const isAny = (ends: Ends) => COLUMNS.some((column) => ends[column] > 0);

/** A task that has ended or was deleted. */
interface Event {
  what: keyof Pick<Change, 'added' | 'removed'>;
  queue: string;
  lane: string | undefined;
  status: TerminalStatus;
}

/**
 * How many ended tasks of each queue and lane there are. Changed in the transactions that end and delete tasks, so that nobody
 * has to count them; written once per transaction, not once per task.
 */
export class QueueEnds implements TransactionMember {
  readonly #queues: EndTable;
  readonly #lanes: EndTable;
  readonly #ofQueue: Database.Statement<[string], Ends>;
  readonly #ofLane: Database.Statement<[string, string], Ends>;
  readonly #lanesOf: Database.Statement<[string, number], string>;
  readonly #names: Database.Statement<[string, number], string>;
  /** Those of the transaction under way. */
  #pending: Event[] = [];

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
    this.#note('added', queue, lane, status);
  }

  /** To be called in the transaction that deletes a task. */
  deleted(queue: unknown, lane: unknown, status: TerminalStatus): void {
    this.#note('removed', queue, lane, status);
  }

  #note(what: Event['what'], queue: unknown, lane: unknown, status: TerminalStatus): void {
    if (typeof queue !== 'string') return;
    this.#pending.push({ what, queue, lane: typeof lane === 'string' ? lane : undefined, status });
  }

  mark(): number {
    return this.#pending.length;
  }

  rewind(mark: number): void {
    this.#pending.length = mark;
  }

  flush(): void {
    if (this.#pending.length === 0) return;
    const queues = new Map<string, Change>();
    const lanes = new Map<string, Change>();
    const count = (changes: Map<string, Change>, key: Key, { what, status }: Event) => {
      const name = key.length === 1 ? (key[0] ?? '') : JSON.stringify(key);
      let change = changes.get(name);
      if (change === undefined)
        changes.set(name, (change = { key, added: { ...NO_ENDS }, removed: { ...NO_ENDS } }));
      change[what][status]++;
    };
    for (const event of this.#pending) {
      count(queues, [event.queue], event);
      if (event.lane !== undefined) count(lanes, [event.queue, event.lane], event);
    }
    for (const change of queues.values()) this.#queues.write(change);
    for (const change of lanes.values()) this.#lanes.write(change);
  }

  committed(): void {
    this.#pending = [];
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
