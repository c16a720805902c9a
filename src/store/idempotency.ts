import type Database from 'better-sqlite3';
import { ExecgoError } from '../task/errors.js';
import type { NewTask } from './records.js';

/** What a key stood for when it was first used. */
interface UsedKey {
  task_id: string;
  request_hash: string;
}

/** Idempotency keys, per tenant. They outlive their tasks: a replay gets the first answer also after collection. */
export class IdempotencyKeys {
  readonly #find: Database.Statement<[string, string], UsedKey>;
  readonly #insert: Database.Statement<[string, string, string, string, number]>;

  constructor(db: Database.Database) {
    this.#find = db.prepare(
      'SELECT task_id, request_hash FROM idempotency_keys WHERE tenant = ? AND key = ?',
    );
    this.#insert = db.prepare(
      'INSERT INTO idempotency_keys (tenant, key, request_hash, task_id, created_at_ms) VALUES (?, ?, ?, ?, ?)',
    );
  }

  /**
   * The id of the task that this key and this request were first used for; undefined for a key that is free.
   * @throws ExecgoError `conflict` when the key stands for another request
   */
  lookUp(tenant: string | undefined, key: string, requestHash: string): string | undefined {
    const used = this.#find.get(tenant ?? '', key);
    if (used === undefined || used.request_hash === requestHash) return used?.task_id;
    throw new ExecgoError('conflict', `idempotency key already used for another request: ${key}`);
  }

  /**
   * Takes the task's key, if it has one and it is free.
   * @returns as {@link lookUp}, with its error
   */
  claim(task: NewTask): string | undefined {
    const { tenant, idempotency_key: key } = task.request.control_context ?? {};
    if (key === undefined) return undefined;
    if (task.request_hash === undefined) throw new Error('an idempotency key needs the hash of its request');
    const first = this.lookUp(tenant, key, task.request_hash);
    if (first === undefined)
      this.#insert.run(tenant ?? '', key, task.request_hash, task.task_id, task.created_at_ms);
    return first;
  }
}
