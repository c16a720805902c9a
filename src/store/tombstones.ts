import type Database from 'better-sqlite3';
import type { ChangesQuery } from '../task/list.js';
import type { CounterTable } from './counters.js';
import { Meta } from './database/meta.js';
import type { RetentionClock } from './retention-clock.js';
import type { Sequence } from './sequence.js';

/** That a task was deleted. */
export interface Tombstone {
  /** That of the deletion. */
  version: number;
  task_id: string;
  deleted_at_ms: number;
}

/** Whose a task was. An older database may hold anything there. */
export interface DeletedRow {
  tenant: unknown;
  owner: unknown;
  session_id: unknown;
}

/** How long, and how many at most, deletions are remembered. Milliseconds of the retention clock. */
export interface TombstonePolicy {
  maxAgeMs: number;
  max: number;
}

const FORGOTTEN = 'forgotten_version';

type Filter = Pick<ChangesQuery, 'tenant' | 'owner' | 'session_id'>;

/** Remembers for a while which tasks were deleted, for those who mirror them. */
export class Tombstones {
  readonly #insert: Database.Statement<[number, string, ...(string | null)[], number, number]>;
  readonly #page: Database.Statement<[Record<string, unknown>], Tombstone>;
  readonly #oldest: Database.Statement<[number], { version: number; ages_from_ms: number }>;
  readonly #forget: Database.Statement<[number]>;
  readonly #meta: Meta;

  /** @param now Unix time in milliseconds */
  constructor(
    db: Database.Database,
    private readonly versions: Sequence,
    private readonly counters: CounterTable,
    private readonly clock: RetentionClock,
    private readonly now: () => number,
  ) {
    this.#insert = db.prepare(`INSERT INTO tombstones
      (version, task_id, tenant, owner, session_id, deleted_at_ms, ages_from_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`);
    const is = (column: string) => `(@${column} IS NULL OR ${column} = @${column})`;
    this.#page = db.prepare(`SELECT version, task_id, deleted_at_ms FROM tombstones
      WHERE version > @after AND version <= @to AND ${['tenant', 'owner', 'session_id'].map(is).join(' AND ')}
      ORDER BY version LIMIT @limit`);
    this.#oldest = db.prepare('SELECT version, ages_from_ms FROM tombstones ORDER BY version LIMIT ?');
    this.#forget = db.prepare('DELETE FROM tombstones WHERE version <= ?');
    this.#meta = new Meta(db);
  }

  /** To be called in the transaction that deletes the task. */
  add(taskId: string, { tenant, owner, session_id }: DeletedRow): void {
    const whose = [tenant, owner, session_id].map((value) => (typeof value === 'string' ? value : null));
    this.#insert.run(this.versions.next(), taskId, ...whose, this.now(), this.clock.now());
    this.counters.tombstones(1);
  }

  /** Those with a higher version than `after`, up to `to`, in their order. */
  page(after: number, to: number, limit: number, { tenant, owner, session_id }: Filter): Tombstone[] {
    const filter = { tenant: tenant ?? null, owner: owner ?? null, session_id: session_id ?? null };
    return this.#page.all({ after, to, limit, ...filter });
  }

  /** The highest version of a deletion that is not remembered any more. */
  get forgotten(): number {
    const version = this.#meta.read(FORGOTTEN);
    return typeof version === 'number' ? version : 0;
  }

  /**
   * Forgets those that are too old or too many. To be called in a transaction.
   * @param limit how many at most
   */
  forget(policy: TombstonePolicy, limit: number): void {
    const gone = this.#due(policy, limit);
    const last = gone.at(-1);
    if (last === undefined) return;
    this.#forget.run(last.version);
    this.#meta.write(FORGOTTEN, last.version);
    this.counters.tombstones(-gone.length);
  }

  /** True when there is something to {@link forget}. */
  isDue(policy: TombstonePolicy): boolean {
    return this.#due(policy, 1).length > 0;
  }

  /** The oldest ones, as far as they are not to be kept. */
  #due({ maxAgeMs, max }: TombstonePolicy, limit: number): { version: number }[] {
    const excess = this.counters.read().tombstones - max;
    const keptSince = this.clock.now() - maxAgeMs;
    const page = this.#oldest.all(limit);
    const kept = page.findIndex(({ ages_from_ms }, i) => i >= excess && ages_from_ms > keptSince);
    return kept < 0 ? page : page.slice(0, kept);
  }
}
