import type Database from 'better-sqlite3';
import type { ErrorBody } from '../task/error-body.js';
import type { FOLLOW_UP_STATES } from '../task/follow-up-view.js';
import { RowReader } from './row-reader.js';
import { isError } from './stored-shapes.js';

/** A task to submit. Times are those of the retention clock. */
export interface NewFollowUp {
  /** The task that has ended. */
  task_id: string;
  /** A submit body as JSON. */
  body: string;
  due_ms: number;
  expires_ms: number;
}

/** One that was not submitted yet. */
export interface PendingFollowUp {
  id: number;
  task_id: string;
  body: string;
  /** How often it was tried. */
  attempts: number;
  due_ms: number;
  expires_ms: number;
}

/** What a task shows of one. */
export interface FollowUp {
  state: (typeof FOLLOW_UP_STATES)[number];
  next_task_id: string | null;
  attempts: number;
  settled_at_ms: number | null;
  error: ErrorBody | null;
}

/** Tasks that follow others, see the migration. What writes is to be called in a transaction. */
export class FollowUps {
  readonly #insert: Database.Statement<[NewFollowUp]>;
  readonly #due: Database.Statement<[number], PendingFollowUp>;
  readonly #submitted: Database.Statement<[Record<string, unknown>]>;
  readonly #refused: Database.Statement<[Record<string, unknown>]>;
  readonly #putOff: Database.Statement<[Record<string, unknown>]>;
  readonly #forget: Database.Statement<[string]>;
  readonly #sweep: Database.Statement<[number]>;
  #fresh = false;
  readonly #ofTask: Database.Statement<[string], Omit<FollowUp, 'error'> & { error_json: string | null }>;

  constructor(db: Database.Database) {
    this.#insert = db.prepare(`INSERT INTO follow_ups (task_id, body, state, attempts, due_ms, expires_ms)
      VALUES (@task_id, @body, 'pending', 0, @due_ms, @expires_ms)`);
    this.#due = db.prepare(`SELECT id, task_id, body, attempts, due_ms, expires_ms
      FROM follow_ups INDEXED BY idx_follow_ups_due WHERE state = 'pending' ORDER BY due_ms LIMIT ?`);
    const settled =
      'attempts = attempts + 1, settled_at_ms = @at_ms, body = NULL, due_ms = NULL, expires_ms = NULL';
    this.#submitted =
      db.prepare(`UPDATE follow_ups SET state = 'submitted', next_task_id = @next, error_json = NULL, ${settled}
      WHERE id = @id AND state = 'pending'`);
    this.#refused = db.prepare(`UPDATE follow_ups SET state = 'refused', error_json = @error, ${settled}
      WHERE id = @id AND state = 'pending'`);
    this.#putOff =
      db.prepare(`UPDATE follow_ups SET attempts = attempts + 1, error_json = @error, due_ms = @due_ms
      WHERE id = @id AND state = 'pending'`);
    this.#sweep = db.prepare(`DELETE FROM follow_ups WHERE id = ?
      AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.task_id = follow_ups.task_id)`);
    this.#forget = db.prepare("DELETE FROM follow_ups WHERE task_id = ? AND state <> 'pending'");
    this.#ofTask = db.prepare(`SELECT state, next_task_id, attempts, settled_at_ms, error_json
      FROM follow_ups INDEXED BY idx_follow_ups_task WHERE task_id = ? ORDER BY id`);
  }

  insert(followUp: NewFollowUp): void {
    this.#insert.run(followUp);
    this.#fresh = true;
  }

  /** Whether something was written since the last call. */
  takeFresh(): boolean {
    const was = this.#fresh;
    this.#fresh = false;
    return was;
  }

  /** Those that are due first. */
  pending(limit: number): PendingFollowUp[] {
    return this.#due.all(limit);
  }

  /** To be called in the transaction that accepts the task. False: it was settled before, and must not be accepted. */
  markSubmitted(id: number, nextTaskId: string, atMs: number): boolean {
    const isFirst = this.#submitted.run({ id, next: nextTaskId, at_ms: atMs }).changes === 1;
    this.#sweep.run(id);
    return isFirst;
  }

  /** It will never be submitted. */
  markRefused(id: number, error: ErrorBody, atMs: number): void {
    this.#refused.run({ id, error: JSON.stringify(error), at_ms: atMs });
    this.#sweep.run(id);
  }

  /** It will be tried again. @param dueMs on the retention clock */
  putOff(id: number, error: ErrorBody, dueMs: number): void {
    this.#putOff.run({ id, error: JSON.stringify(error), due_ms: dueMs });
  }

  /** Takes away what a task shows that is deleted; what is pending is submitted all the same. */
  forget(taskId: string): void {
    this.#forget.run(taskId);
  }

  /** In the order of the request. */
  ofTask(taskId: string): FollowUp[] {
    return this.#ofTask.all(taskId).map(({ error_json, ...row }) => {
      const error = new RowReader().json('error', error_json, isError);
      return { ...row, error };
    });
  }
}
