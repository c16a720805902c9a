import type Database from 'better-sqlite3';
import { ExecgoError } from '../../task/errors.js';
import { storageError } from './sqlite-error.js';

/**
 * A cache in memory of what the transaction changes: it must forget what was rolled back, and show only what was committed.
 */
export interface TransactionMember {
  /** A point that {@link rewind} can go back to. */
  mark?(): number;
  /** Forgets everything since the mark, which may be the beginning of the transaction. */
  rewind?(mark: number): void;
  /** Writes the changes gathered so far; called last inside the transaction. */
  flush?(): void;
  committed(): void;
}

interface Job {
  run: () => void;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** How long {@link GroupCommit.writeAlong} waits for another transaction by default, in milliseconds. */
const ALONG_MS = 50;

/**
 * How long one transaction may take, in milliseconds; the rest of a long queue goes into the next, because the event loop is
 * blocked meanwhile.
 */
const TRANSACTION_MS = 15;

/** Commits writes that arrive together in one transaction, so that they share one fsync. */
export class GroupCommit {
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

  /** @param transactionMs how long one transaction may take before the rest of a long queue goes into the next */
  constructor(
    private readonly db: Database.Database,
    private readonly members: readonly TransactionMember[],
    private readonly transactionMs = TRANSACTION_MS,
  ) {
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#rollback = db.prepare('ROLLBACK');
    this.#savepoint = db.prepare('SAVEPOINT job');
    this.#release = db.prepare('RELEASE job');
    this.#rollbackTo = db.prepare('ROLLBACK TO job');
  }

  /**
   * Queues `fn`, which must be synchronous. The functions queued in one turn of the event loop run in the order of arrival
   * in one transaction, each in its own savepoint; if they take longer than {@link TRANSACTION_MS} the rest goes into
   * another. Each promise resolves after its COMMIT is durable, in the same order.
   *
   * Rejects with what `fn` threw; then only the writes of `fn` are undone. Rejects all functions of the transaction with
   * `insufficient_storage` when the disk is full or failing, with `unavailable` when the database is locked or closed.
   */
  write<T>(fn: () => T): Promise<T> {
    return this.#enqueue(this.#queue, fn, () => {
      if (this.#queue.length === 1) setImmediate(this.#flush);
    });
  }

  /**
   * As {@link write}, for writes that can wait: `fn` joins the next transaction, after all others in it, and so costs no
   * fsync of its own. If no transaction comes within `withinMs`, it gets one of its own.
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

  /** Commits what is queued and refuses all later writes. */
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
    const rewind = this.#mark();
    try {
      this.#begin.run();
      const until = performance.now() + this.transactionMs;
      for (const job of batch) {
        tried++;
        if (this.#run(job, batch.length > 1)) ran.push(job);
        if (performance.now() >= until) break;
      }
      for (const member of this.members) member.flush?.();
      this.#commit.run();
    } catch (error) {
      if (this.db.inTransaction) this.#rollback.run();
      rewind();
      const told = storageError(error);
      for (const job of batch) job.reject(told);
      return;
    }
    for (const member of this.members) member.committed();
    if (tried < batch.length) this.#putBack(batch.slice(tried));
    for (const job of ran) job.resolve();
  };

  /** Jobs for which the transaction had no time left come first in the next one. */
  #putBack(rest: Job[]): void {
    this.#queue.unshift(...rest);
    setImmediate(this.#flush);
  }

  /** False when the job failed and its own writes were undone. Throws when the failure rolls back the whole transaction. */
  #run(job: Job, sharesTransaction: boolean): boolean {
    if (!sharesTransaction) {
      job.run();
      return true;
    }
    const rewind = this.#mark();
    this.#savepoint.run();
    try {
      job.run();
    } catch (error) {
      // SQLite itself may have rolled back everything, the writes of the other jobs included.
      if (!this.db.inTransaction) throw error;
      this.#rollbackTo.run();
      this.#release.run();
      rewind();
      job.reject(storageError(error));
      return false;
    }
    this.#release.run();
    return true;
  }

  /** @returns what makes all members forget everything from here on */
  #mark(): () => void {
    const marks = this.members.map((member) => member.mark?.() ?? 0);
    return () => {
      for (const [i, member] of this.members.entries()) member.rewind?.(marks[i] ?? 0);
    };
  }
}
