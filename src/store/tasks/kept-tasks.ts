import type Database from 'better-sqlite3';
import type { CounterTable } from '../counters.js';
import type { Meta } from '../database/meta.js';
import { RetentionClock, type ClockMark, type ClockSources } from '../retention-clock.js';

/** A task that has ended and is not pinned. */
export interface KeptTask {
  task_id: string;
  submit_seq: number;
  /** The time on the retention clock when it ended, in milliseconds. */
  ages_from_ms: number;
  /** Null until it was measured. */
  disk_bytes: number | null;
}

/** The position after a page in the order of age. */
export type AgeCursor = Pick<KeptTask, 'ages_from_ms' | 'submit_seq'>;

/** The position before all tasks. */
export const OLDEST: AgeCursor = {
  ages_from_ms: Number.MIN_SAFE_INTEGER,
  submit_seq: Number.MIN_SAFE_INTEGER,
};

/** How long ended tasks are kept, and how many; undefined: no limit. */
export interface RetentionPolicy {
  maxAgeMs: number;
  maxTasks: number | undefined;
  maxBytes: number | undefined;
}

const CLOCK = 'retention_clock';
const POLICY = 'retention_policy';
const AGES = 'FROM tasks INDEXED BY idx_tasks_ages WHERE pinned = 0 AND ages_from_ms IS NOT NULL';
const AFTER = '(ages_from_ms, submit_seq) > (@ages_from_ms, @submit_seq)';
const IN_ORDER = 'ORDER BY ages_from_ms, submit_seq LIMIT @limit';

type Page = AgeCursor & { limit: number };

/** The tasks that have ended, by age, for garbage collection to choose from. Reads cost the same wherever they start. */
export class KeptTasks {
  /** Measures the age of results. */
  readonly clock: RetentionClock;
  readonly #page: Database.Statement<[Page], KeptTask>;
  readonly #unmeasured: Database.Statement<[Page], Omit<KeptTask, 'task_id'> & { task_id: string | null }>;
  readonly #pinned: Database.Statement<[number], number>;
  readonly #measured: Database.Statement<[number, string]>;

  constructor(
    db: Database.Database,
    private readonly counters: CounterTable,
    private readonly meta: Meta,
    sources: ClockSources,
  ) {
    this.#page = db.prepare(
      `SELECT task_id, submit_seq, ages_from_ms, disk_bytes ${AGES} AND ${AFTER} ${IN_ORDER}`,
    );
    // The id, which needs a look at the row itself, is read only for tasks that were not measured.
    this.#unmeasured =
      db.prepare(`SELECT CASE WHEN disk_bytes IS NULL THEN task_id END AS task_id, submit_seq,
      ages_from_ms, disk_bytes ${AGES} AND ${AFTER} ${IN_ORDER}`);
    this.#pinned = db
      .prepare<[number], number>(
        'SELECT count(*) FROM tasks WHERE pinned = 1 AND ages_from_ms IS NOT NULL AND ages_from_ms <= ?',
      )
      .pluck();
    this.#measured = db.prepare(`UPDATE tasks SET disk_bytes = ?
      WHERE task_id = ? AND pinned = 0 AND ages_from_ms IS NOT NULL AND disk_bytes IS NULL`);
    this.clock = new RetentionClock((meta.read(CLOCK) ?? undefined) as ClockMark | undefined, sources);
  }

  /** The number of kept tasks, and the bytes of those that were measured; from memory. */
  totals(): { tasks: number; bytes: number } {
    return this.counters.read().kept;
  }

  /** The next tasks in the order of age, oldest first. */
  page(after: AgeCursor, limit: number): KeptTask[] {
    return this.#page.all({ ages_from_ms: after.ages_from_ms, submit_seq: after.submit_seq, limit });
  }

  /**
   * Ids of the next tasks whose files were not measured.
   * @param limit how many tasks to look at, measured or not
   * @returns `next` is undefined once all have been looked at
   */
  unmeasured(after: AgeCursor, limit: number): { taskIds: string[]; next: AgeCursor | undefined } {
    const rows = this.#unmeasured.all({
      ages_from_ms: after.ages_from_ms,
      submit_seq: after.submit_seq,
      limit,
    });
    return {
      taskIds: rows.flatMap(({ task_id }) => (task_id === null ? [] : [task_id])),
      next: rows.length < limit ? undefined : rows.at(-1),
    };
  }

  /** How many pinned tasks ended at or before this time of the {@link clock}. */
  pinnedUpTo(agesFromMs: number): number {
    return this.#pinned.get(agesFromMs) ?? 0;
  }

  /** Records the disk space of a task's files. Does nothing for a task that is gone, pinned, or measured already. */
  setDiskBytes(taskId: string, bytes: number): void {
    if (this.#measured.run(bytes, taskId).changes === 1) this.counters.measured(bytes);
  }

  /** Saves the clock, which goes on from here after a restart. */
  saveClock(): void {
    this.meta.write(CLOCK, this.clock.mark());
  }

  /** The policy of the last daemon; undefined when there has been none. */
  policy(): RetentionPolicy | undefined {
    return (this.meta.read(POLICY) ?? undefined) as RetentionPolicy | undefined;
  }

  savePolicy(policy: RetentionPolicy): void {
    this.meta.write(POLICY, policy);
  }
}
