import type Database from 'better-sqlite3';
import { ExecgoError } from '../../task/errors.js';
import { CHANGES, isLegal, type Change, type TaskStatus } from '../../task/states.js';
import type { LiveRecord } from '../records.js';
import type { Sequence } from '../sequence.js';
import { ENDED_STATE, LIVE_STATE } from './task-row.js';

/** Where a task counts. An older database may hold anything there. */
export interface Place {
  queue: unknown;
  lane: unknown;
  tenant: unknown;
  group_name: unknown;
}

/** Makes one named change of a task: see {@link CHANGES}. */
export class Step {
  readonly #update: Database.Statement<[Record<string, unknown>], unknown[]>;

  /**
   * @param set what it sets beside the status
   * @param guard what must hold beside the status and the attempt that it starts from
   */
  constructor(
    db: Database.Database,
    private readonly versions: Sequence,
    private readonly change: Change,
    set: string,
    guard = 'TRUE',
  ) {
    const moves = Object.entries(CHANGES[change]).some(
      ([from, to]: [string, string[]]) => !to.includes(from),
    );
    this.#update = db
      .prepare<[Record<string, unknown>], unknown[]>(
        `UPDATE tasks SET ${moves ? 'status = @to, ' : ''}version = @version, ${set}
      WHERE task_id = @task_id AND status = @from AND launch_id IS @from_launch AND ${guard}
      RETURNING ${change === 'end' ? `${ENDED_STATE}, queue, lane, tenant, group_name, pinned` : LIVE_STATE}`,
      )
      .raw();
  }

  /**
   * @returns the state of the row as it is now, of an end followed by where it counts; undefined when it is not any more as
   *   `task` says: then nothing is written
   * @throws ExecgoError `internal` for a change that the table does not have
   */
  make(task: LiveRecord, to: TaskStatus, values: Record<string, unknown>): unknown[] | undefined {
    const { task_id, status } = task;
    if (!isLegal(this.change, status, to))
      throw new ExecgoError('internal', `no ${this.change} takes a task from ${status} to ${to}`);
    const from_launch = task.status === 'running' ? task.attempt.launch_id : null;
    const version = this.versions.next();
    return this.#update.get(Object.assign({ task_id, from: status, from_launch, to, version }, values));
  }
}
