import type Database from 'better-sqlite3';
import type { TransactionMember } from './database/group-commit.js';
import { TASK_STATUSES, type TaskStatus } from '../task/states.js';

/** Upper bounds of the buckets of the duration histogram, in milliseconds; there is one more bucket above the last. */
export const DURATION_BUCKETS_MS = [100, 250, 500, 1000, 5000, 10_000, 30_000, 60_000, 300_000] as const;

/** Totals since the database was made; only `kept` and `tombstones` can decrease. */
export interface Counters {
  /** How many times a task entered this status. */
  entered: Record<TaskStatus, number>;
  /** Ends by error code. */
  errors: Record<string, number>;
  /** Attempts that were followed by another, or by a wait for one, by cause. */
  retries: Record<string, number>;
  /** Messages about ends: how many were written down, and how many of those were settled, and how. */
  notices: { written: number; delivered: number; given_up: number };
  /** `buckets` is cumulative, one for each of {@link DURATION_BUCKETS_MS}; `sum` is milliseconds. */
  duration: { buckets: number[]; sum: number; count: number };
  /** Tasks that have ended, are not pinned and still exist, and the bytes of those that were measured. */
  kept: { tasks: number; bytes: number };
  /** Deletions that are remembered. */
  tombstones: number;
}

const ENTERED = 'entered.';
const ERROR = 'error.';
const RETRY = 'retry.';
const TOMBSTONES = 'tombstones';
const NOTICE = 'notice.';
const DURATION_SUM = 'duration.sum';
/** The names of the counters for `kept`: what was added, and what was removed. */
const KEPT = {
  tasksAdded: 'kept.tasks.added',
  tasksRemoved: 'kept.tasks.removed',
  bytesAdded: 'kept.bytes.added',
  bytesRemoved: 'kept.bytes.removed',
} as const;
const bucketName = (bound: number | undefined) =>
  `duration.le.${bound === undefined ? 'inf' : String(bound)}`;

/** Counters in memory that are written once per transaction, not once per task. */
export class CounterTable implements TransactionMember {
  readonly #totals = new Map<string, number>();
  readonly #add: Database.Statement<[string, number]>;
  #pending: [name: string, delta: number][] = [];

  constructor(db: Database.Database) {
    this.#add = db.prepare(
      'INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value',
    );
    const rows = db.prepare<[], { name: string; value: number }>('SELECT name, value FROM counters').all();
    for (const row of rows) this.#totals.set(row.name, row.value);
  }

  entered(status: TaskStatus): void {
    this.#pending.push([ENTERED + status, 1]);
  }

  error(code: string): void {
    this.#pending.push([ERROR + code, 1]);
  }

  retry(cause: string): void {
    this.#pending.push([RETRY + cause, 1]);
  }

  notice(what: keyof Counters['notices']): void {
    this.#pending.push([NOTICE + what, 1]);
  }

  duration(ms: number): void {
    this.#pending.push([bucketName(DURATION_BUCKETS_MS.find((bound) => ms <= bound)), 1], [DURATION_SUM, ms]);
  }

  /** To be called when a task has ended that may be collected. */
  kept(): void {
    this.#pending.push([KEPT.tasksAdded, 1]);
  }

  /** To be called when the files of such a task were measured. */
  measured(bytes: number): void {
    this.#pending.push([KEPT.bytesAdded, bytes]);
  }

  /** To be called when such a task was removed. @param bytes as they were measured */
  removed(bytes: number): void {
    this.#pending.push([KEPT.tasksRemoved, 1], [KEPT.bytesRemoved, bytes]);
  }

  /** @param delta how many more deletions are remembered */
  tombstones(delta: number): void {
    this.#pending.push([TOMBSTONES, delta]);
  }

  /** The committed values, from memory. */
  read(): Counters {
    const total = (name: string) => this.#totals.get(name) ?? 0;
    const entered = Object.fromEntries(TASK_STATUSES.map((s) => [s, total(ENTERED + s)]));
    const after = (prefix: string) =>
      Object.fromEntries(
        [...this.#totals].flatMap(([name, value]) =>
          name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
        ),
      );
    let count = 0;
    const buckets = DURATION_BUCKETS_MS.map((bound) => (count += total(bucketName(bound))));
    count += total(bucketName(undefined));
    return {
      entered: entered as Record<TaskStatus, number>,
      errors: after(ERROR),
      retries: after(RETRY),
      notices: {
        written: total(`${NOTICE}written`),
        delivered: total(`${NOTICE}delivered`),
        given_up: total(`${NOTICE}given_up`),
      },
      duration: { buckets, sum: total(DURATION_SUM), count },
      kept: {
        tasks: total(KEPT.tasksAdded) - total(KEPT.tasksRemoved),
        bytes: total(KEPT.bytesAdded) - total(KEPT.bytesRemoved),
      },
      tombstones: total(TOMBSTONES),
    };
  }

  mark(): number {
    return this.#pending.length;
  }

  rewind(mark: number): void {
    this.#pending.length = mark;
  }

  flush(): void {
    const deltas = new Map<string, number>();
    for (const [name, delta] of this.#pending) deltas.set(name, (deltas.get(name) ?? 0) + delta);
    this.#pending = [...deltas];
    for (const [name, delta] of this.#pending) this.#add.run(name, delta);
  }

  committed(): void {
    for (const [name, delta] of this.#pending) this.#totals.set(name, (this.#totals.get(name) ?? 0) + delta);
    this.#pending = [];
  }
}
