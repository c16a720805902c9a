import type Database from 'better-sqlite3';
import { ExecgoError } from '../task/errors.js';
import type { NewTask, RequestHash } from './records.js';
import type { RetentionClock } from './retention-clock.js';

/** The use that a key was first made of. */
interface UsedKey {
  task_id: string;
  request_hash: string;
}

/** The primary key of its table. */
interface KeyName {
  tenant: string;
  key: string;
}

/**
 * Idempotency keys, per tenant. They outlive their tasks: a replay gets the first answer even after the task was collected.
 */
export class IdempotencyKeys {
  readonly #find: Database.Statement<[string, string], UsedKey>;
  readonly #insert: Database.Statement<[string, string, string, string, number, number]>;
  readonly #oldest: Database.Statement<[number, number], KeyName>;
  readonly #delete: Database.Statement<[string, string]>;

  constructor(
    db: Database.Database,
    private readonly clock: RetentionClock,
  ) {
    this.#find = db.prepare(
      'SELECT task_id, request_hash FROM idempotency_keys WHERE tenant = ? AND key = ?',
    );
    this.#insert = db.prepare(
      `INSERT INTO idempotency_keys (tenant, key, request_hash, task_id, created_at_ms, ages_from_ms)
       VALUES (?, ?, ?, ?, ?, ?)`,
    );
    this.#oldest = db.prepare(
      `SELECT tenant, key FROM idempotency_keys INDEXED BY idx_idempotency_keys_ages
       WHERE ages_from_ms <= ? ORDER BY ages_from_ms LIMIT ?`,
    );
    this.#delete = db.prepare('DELETE FROM idempotency_keys WHERE tenant = ? AND key = ?');
  }

  /**
   * The id of the task for which this key was first used; undefined for a key that is free. Only reads.
   * @throws ExecgoError `conflict` when the key was used with another request
   */
  lookUp(tenant: string | undefined, key: string, hash: RequestHash): string | undefined {
    const used = this.#find.get(tenant ?? '', key);
    if (used === undefined || used.request_hash === hash.sent || used.request_hash === hash.older())
      return used?.task_id;
    throw new ExecgoError('conflict', `idempotency key already used for another request: ${key}`);
  }

  /**
   * Records the task's key, if it has one and the key is free.
   * @returns as {@link lookUp}, with its error
   */
  claim(task: NewTask): string | undefined {
    const { tenant, idempotency_key: key } = task.request.control_context ?? {};
    if (key === undefined) return undefined;
    if (task.request_hash === undefined) throw new Error('an idempotency key needs the hash of its request');
    const first = this.lookUp(tenant, key, task.request_hash);
    if (first === undefined)
      this.#insert.run(
        ...[tenant ?? '', key, task.request_hash.sent, task.task_id, task.created_at_ms, this.clock.now()],
      );
    return first;
  }

  /**
   * Keys that were first used this long ago or earlier, oldest first. Only reads.
   * @param ageMs by the retention clock
   */
  olderThan(ageMs: number, limit: number): KeyName[] {
    return this.#oldest.all(this.clock.now() - ageMs, limit);
  }

  /** Deletes a key, which can be used again then. To be called in a transaction. */
  delete({ tenant, key }: KeyName): void {
    this.#delete.run(tenant, key);
  }
}
