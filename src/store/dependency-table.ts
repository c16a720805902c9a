import type Database from 'better-sqlite3';
import { CONDITIONS, type Condition, type When } from '../task/dependencies.js';
import { isTerminal, type TaskStatus, type TerminalStatus } from '../task/states.js';
import type { RetentionClock } from './retention-clock.js';

/** A condition that does not hold yet. */
interface OpenCondition extends Condition {
  /** The task that waits for it. */
  dependant: string;
}

/** What tasks wait for of each other, and how those ended that are not there any more. */
export class DependencyTable {
  readonly #all: Database.Statement<[], { task_id: string; after_id: string; condition: When }>;
  readonly #add: Database.Statement<[string, string, When]>;
  readonly #met: Database.Statement<[string, string]>;
  readonly #clear: Database.Statement<[string]>;
  readonly #hasOpen: Database.Statement<[string], number>;
  readonly #status: Database.Statement<[string], TaskStatus>;
  readonly #remembered: Database.Statement<[string], TerminalStatus>;
  readonly #remember: Database.Statement<[string, TerminalStatus, number]>;
  readonly #old: Database.Statement<[number, number], string>;
  readonly #forget: Database.Statement<[string]>;

  constructor(
    db: Database.Database,
    private readonly clock: RetentionClock,
  ) {
    this.#all = db.prepare('SELECT task_id, after_id, condition FROM dependencies');
    this.#add = db.prepare('INSERT INTO dependencies (after_id, task_id, condition) VALUES (?, ?, ?)');
    this.#met = db.prepare('DELETE FROM dependencies WHERE after_id = ? AND task_id = ?');
    this.#clear = db.prepare('DELETE FROM dependencies WHERE task_id = ?');
    this.#hasOpen = db
      .prepare<[string], number>('SELECT 1 FROM dependencies WHERE task_id = ? LIMIT 1')
      .pluck();
    this.#status = db.prepare<[string], TaskStatus>('SELECT status FROM tasks WHERE task_id = ?').pluck();
    this.#remembered = db
      .prepare<[string], TerminalStatus>('SELECT status FROM remembered_ends WHERE task_id = ?')
      .pluck();
    this.#remember = db.prepare(
      'INSERT OR REPLACE INTO remembered_ends (task_id, status, ages_from_ms) VALUES (?, ?, ?)',
    );
    this.#old = db
      .prepare<[number, number], string>(
        `SELECT task_id FROM remembered_ends INDEXED BY idx_remembered_ends_ages
        WHERE ages_from_ms <= ? ORDER BY ages_from_ms LIMIT ?`,
      )
      .pluck();
    this.#forget = db.prepare('DELETE FROM remembered_ends WHERE task_id = ?');
  }

  /** Every condition of every task that waits. Another program may have written rows that say nothing: those are left out. */
  all(): OpenCondition[] {
    return this.#all
      .all()
      .filter(({ condition }) => CONDITIONS.includes(condition))
      .map(({ task_id, after_id, condition }) => ({
        dependant: task_id,
        task_id: after_id,
        when: condition,
      }));
  }

  /** Sets what a task waits for. To be called in a transaction, as all that follow. */
  set(taskId: string, conditions: readonly Condition[]): void {
    this.#clear.run(taskId);
    for (const { task_id, when } of conditions) this.#add.run(task_id, taskId, when);
  }

  /** A condition holds. */
  met(taskId: string, afterId: string): void {
    this.#met.run(afterId, taskId);
  }

  /** The task waits for nothing any more. */
  clear(taskId: string): void {
    this.#clear.run(taskId);
  }

  /** True while the task waits for another one. */
  hasOpen(taskId: string): boolean {
    return this.#hasOpen.get(taskId) !== undefined;
  }

  /** How a task ended, also one that is not there any more; `live` while it has not; undefined for an unknown one. */
  endOf(taskId: string): TerminalStatus | 'live' | undefined {
    const status = this.#status.get(taskId);
    if (status === undefined) return this.#remembered.get(taskId);
    return isTerminal(status) ? status : 'live';
  }

  /** To be called in the transaction that removes a task. */
  remember(taskId: string, status: TerminalStatus): void {
    this.#remember.run(taskId, status, this.clock.now());
  }

  /** Tasks that were removed this long ago or earlier, by the retention clock. Only reads. */
  rememberedFor(ageMs: number, limit: number): string[] {
    return this.#old.all(this.clock.now() - ageMs, limit);
  }

  forget(taskId: string): void {
    this.#forget.run(taskId);
  }
}
