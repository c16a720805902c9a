import type Database from 'better-sqlite3';
import { ExecgoError } from '../../task/errors.js';
import { storageError } from './sqlite-error.js';

/** State in memory that follows the transaction: it must forget what was rolled back and show only what was committed. */
export interface TransactionMember {
  /** A point to {@link rewind} to. */
  mark(): number;
  /** Forgets everything since the mark. */
  rewind(mark: number): void;
  /** Writes what has gathered; runs last inside the transaction. */
  flush(): void;
  committed(): void;
  rolledBack(): void;
}

interface Job {
  run: () => void;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** How long {@link GroupCommit.writeAlong} waits for company by default, in milliseconds. */
const ALONG_MS = 50;

/** After this the rest of a long queue goes into another transaction, in milliseconds: the event loop stands still meanwhile. */
const TRANSACTION_MS = 15;

/** Commits writes that arrive together in one transaction, so that they share one fsync. */
export class GroupCommit {
  readonly #db: Database.Database;
  readonly #members: readonly TransactionMember[];
  readonly #begin: Database.Statement;
  readonly #commit: Database.Statement;
  readonly #rollback: Database.Statement;
  readonly #savepoint: Database.Statement;
  readonly #release: Database.Statement;
  readonly #rollbackTo: Database.Statement;
  #queue: Job[] = [];
  #along: Job[] = [];
  #alone: NodeJS.Timeout | undefined;
  #aloneAt = Infinity;
  #closed = false;

  /** @param transactionMs how long a transaction may take before the rest of a long queue goes into another */
  constructor(
    db: Database.Database,
    members: readonly TransactionMember[],
    private readonly transactionMs = TRANSACTION_MS,
  ) {
    this.#db = db;
    this.#members = members;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#rollback = db.prepare('ROLLBACK');
    this.#savepoint = db.prepare('SAVEPOINT job');
    this.#release = db.prepare('RELEASE job');
    this.#rollbackTo = db.prepare('ROLLBACK TO job');
  }

  /**
   * Queues `fn`, which must be synchronous. The functions queued in one turn of the event loop run in order of arrival in
   * one transaction, each in its own savepoint, or in several when they take longer than {@link TRANSACTION_MS}; each
   * promise resolves after its COMMIT is durable, in the same order.
   *
   * Rejects with what `fn` threw, then only its own writes are undone. Rejects all of the transaction with
   * `insufficient_storage` when the disk is full or failing, with `unavailable` when the database is locked or closed.
   */
  write<T>(fn: () => T): Promise<T> {
    return this.#enqueue(this.#queue, fn, () => {
      if (this.#queue.length === 1) setImmediate(this.#flush);
    });
  }

  /**
   * As {@link write}, for what is in no hurry: it goes along with the next transaction that comes anyway, after the others
   * in it, and costs no fsync of its own; alone when none has come for `withinMs`.
   */
  writeAlong<T>(fn: () => T, withinMs = ALONG_MS): Promise<T> {
    return this.#enqueue(this.#along, fn, () => {
      const at = performance.now() + withinMs;
      if (at >= this.#aloneAt) return;
      clearTimeout(this.#alone);
      this.#aloneAt = at;
      this.#alone = setTimeout(this.#flush, withinMs);
    });
  }

  #enqueue<T>(queue: Job[], fn: () => T, schedule: () => void): Promise<T> {
    if (this.#closed) return Promise.reject(new ExecgoError('unavailable', 'the store is closed'));
    return new Promise<T>((resolve, reject) => {
      let settle: (() => void) | undefined;
      const run = () => {
        const value = fn();
        settle = () => {
          resolve(value);
        };
      };
      queue.push({ run, resolve: () => settle?.(), reject });
      schedule();
    });
  }

  /** True once {@link close} was called: nothing is written any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Commits what is queued now and refuses everything after it. */
  close(): void {
    this.#closed = true;
    while (this.#queue.length + this.#along.length > 0) this.#flush();
  }

  readonly #flush = (): void => {
    clearTimeout(this.#alone);
    this.#aloneAt = Infinity;
    const batch = [...this.#queue, ...this.#along];
    if (batch.length === 0) return;
    this.#queue = [];
    this.#along = [];
    const ran: Job[] = [];
    let tried = 0;
    try {
      this.#begin.run();
      const until = performance.now() + this.transactionMs;
      for (const job of batch) {
        tried++;
        if (this.#run(job, batch.length > 1)) ran.push(job);
        if (performance.now() >= until) break;
      }
      for (const member of this.#members) member.flush();
      this.#commit.run();
    } catch (error) {
      this.#abandon();
      const told = storageError(error);
      for (const job of batch) job.reject(told);
      return;
    }
    for (const member of this.#members) member.committed();
    if (tried < batch.length) this.#putBack(batch.slice(tried));
    for (const job of ran) job.resolve();
  };

  /** What did not fit in is first in the next transaction. */
  #putBack(rest: Job[]): void {
    this.#queue.unshift(...rest);
    setImmediate(this.#flush);
  }

  /** False when the job failed and its own writes were undone; throws when that takes the whole transaction down. */
  #run(job: Job, sharesTransaction: boolean): boolean {
    if (!sharesTransaction) {
      job.run();
      return true;
    }
    const marks = this.#members.map((member) => member.mark());
    this.#savepoint.run();
    try {
      job.run();
    } catch (error) {
      // SQLite itself may have rolled back everything, the other jobs' writes included.
      if (!this.#db.inTransaction) throw error;
      this.#rollbackTo.run();
      this.#release.run();
      this.#members.forEach((member, i) => {
        member.rewind(marks[i] ?? 0);
      });
      job.reject(storageError(error));
      return false;
    }
    this.#release.run();
    return true;
  }

  #abandon(): void {
    if (this.#db.inTransaction) this.#rollback.run();
    for (const member of this.#members) member.rolledBack();
  }
}
