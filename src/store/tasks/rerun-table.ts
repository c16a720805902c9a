import type Database from 'better-sqlite3';
import type { TaskEvent } from '../../task/events.js';
import { isTerminal, type TaskStatus } from '../../task/states.js';
import type { EventLog } from '../event-log.js';
import type { GroupName, GroupTable } from '../group-table.js';
import type { Sequence } from '../sequence.js';

interface Row {
  status: TaskStatus;
  tenant: unknown;
  group_name: unknown;
  retried_as: string | null;
}

/** A task of a group that did not succeed, and that none has come in the place of. */
interface Undone {
  task_id: string;
  submit_seq: number;
}

/** How another task comes in the place of one that has ended. */
interface Rerun {
  /** The other one. */
  by: string;
  /** Also when there is one already. */
  again: boolean;
  at_ms: number;
}

/** Which task is run again by which. */
export class RerunTable {
  readonly #of: Database.Statement<[string], Row>;
  readonly #mark: Database.Statement<[string, number, number, string]>;
  readonly #undone: Database.Statement<[Record<string, unknown>], Undone>;

  constructor(
    db: Database.Database,
    private readonly events: EventLog,
    private readonly groups: GroupTable,
    private readonly versions: Sequence,
  ) {
    this.#of = db.prepare('SELECT status, tenant, group_name, retried_as FROM tasks WHERE task_id = ?');
    this.#mark = db.prepare(
      'UPDATE tasks SET retried_as = ?, version = ?, updated_at_ms = ? WHERE task_id = ?',
    );
    this.#undone = db.prepare(`SELECT task_id, submit_seq FROM tasks INDEXED BY idx_tasks_group_undone
      WHERE group_name = @group AND tenant IS @tenant AND submit_seq > @after
      AND status IN ('failed', 'cancelled') AND retried_as IS NULL
      AND (status = 'failed' OR cause = 'dependency' OR @cancelled)
      ORDER BY submit_seq LIMIT @limit`);
  }

  /**
   * To be called in the transaction that makes the other task.
   * @returns its events; undefined when there is no such task, it has not ended, or another has come in its place before
   */
  mark(taskId: string, { by, again, at_ms }: Rerun): TaskEvent[] | undefined {
    const row = this.#of.get(taskId);
    if (row === undefined || !isTerminal(row.status)) return undefined;
    const { status, tenant, group_name, retried_as } = row;
    if (retried_as !== null && !again) return undefined;
    this.#mark.run(by, this.versions.next(), at_ms, taskId);
    if (retried_as === null) this.groups.retried(tenant, group_name, status);
    return this.events.append(taskId, [
      { event_type: 'retried', timestamp_ms: at_ms, data: { task_id: by } },
    ]);
  }

  /** The task that has come in the place of this one. */
  of(taskId: string): string | undefined {
    return this.#of.get(taskId)?.retried_as ?? undefined;
  }

  /**
   * Tasks of a group that failed, or were cancelled because of that, in the order of submission.
   * @param options.after the `submit_seq` behind which it begins
   * @param options.cancelled those, too, that were cancelled for another reason
   */
  undone(
    { tenant, group }: GroupName,
    options: { after: number; cancelled: boolean; limit: number },
  ): Undone[] {
    const cancelled = options.cancelled ? 1 : 0;
    return this.#undone.all({ ...options, cancelled, tenant: tenant ?? null, group });
  }
}
