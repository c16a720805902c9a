import type Database from 'better-sqlite3';
import { ExecgoError } from '../../task/errors.js';
import { queueOf, type TaskRequest } from '../../task/request.js';
import type { CounterTable } from '../counters.js';
import type { EventLog } from '../event-log.js';
import type { GroupTable } from '../group-table.js';
import type { Sequence } from '../sequence.js';
import type { IdempotencyKeys } from '../idempotency.js';
import type { InsertResult, NewTask, WaitingTask } from '../records.js';
import { sqliteCode } from '../database/sqlite-error.js';
import type { SharedPlans } from './shared-plans.js';

/**
 * What the older schema wants something in, and nobody reads in a row of ours: the request is whole in `request_json`, and
 * where files are follows from the id.
 */
const OLD_TEXTS = [
  ...['handle_id', 'task_dir', 'workspace_dir', 'request_path', 'result_path', 'stdout_path', 'stderr_path'],
  ...['execution_json', 'limits_json', 'sandbox_json', 'metadata_json'],
];
const OLD_NUMBERS = ['stdout_max_bytes', 'stderr_max_bytes'];

const COLUMNS = [
  ...[
    'submit_seq',
    'task_id',
    'status',
    'priority',
    'queue',
    'lane',
    'tenant',
    'owner',
    'session_id',
    'group_name',
    'retry_of',
    'parent_task_id',
  ],
  ...['version', 'created_at_ms', 'updated_at_ms'],
  ...['reservation_json', 'execution_plan_json', 'request_json', 'pinned', 'sent_json'],
];

/** A task with this metadata key set to `true` is not collected. */
const PIN_KEY = 'execgo.pin';

/** Writes new tasks. */
export class TaskInsert {
  readonly #insert: Database.Statement;

  constructor(
    db: Database.Database,
    private readonly events: EventLog,
    private readonly keys: IdempotencyKeys,
    private readonly counters: CounterTable,
    private readonly versions: Sequence,
    private readonly plans: SharedPlans,
    private readonly groups: GroupTable,
  ) {
    const columns = [...COLUMNS, ...OLD_TEXTS, ...OLD_NUMBERS];
    const values = [...COLUMNS.map(() => '?'), ...OLD_TEXTS.map(() => "''"), ...OLD_NUMBERS.map(() => '0')];
    this.#insert = db.prepare(`INSERT INTO tasks (${columns.join(', ')}) VALUES (${values.join(', ')})`);
  }

  /**
   * Writes a new task as `accepted`. `inserted: false` is an idempotent replay.
   * @throws ExecgoError `conflict` when the id is taken, or the key with another request
   */
  insert(task: NewTask): InsertResult {
    const first = this.keys.claim(task);
    if (first !== undefined) return { inserted: false, task_id: first };
    const submitSeq = this.events.next;
    const version = this.versions.next();
    const planText = JSON.stringify(task.plan);
    this.#insertRow(task, submitSeq, version, planText);
    this.counters.entered('accepted');
    const { tenant, owner, group } = task.request.control_context ?? {};
    const { max_failures, group_notify: notify } = task.request.policy;
    if (group !== undefined) this.groups.entered({ tenant, group }, { max_failures, owner, notify });
    const events = this.events.append(task.task_id, task.events);
    const plan = this.plans.of(planText, task.plan);
    return { inserted: true, task: waitingTask({ ...task, plan }, submitSeq, version), events };
  }

  #insertRow(task: NewTask, submitSeq: number, version: number, planText: string): void {
    const { task_id, request, created_at_ms } = task;
    const context = request.control_context;
    try {
      this.#insert.run(
        ...[submitSeq, task_id, 'accepted', request.policy.priority, queueOf(request)],
        ...[
          context?.lane ?? null,
          context?.tenant ?? null,
          context?.owner ?? null,
          context?.session_id ?? null,
          context?.group ?? null,
          task.retry_of ?? null,
          context?.parent_task_id ?? null,
        ],
        ...[version, created_at_ms, created_at_ms],
        ...[JSON.stringify(task.reservation), planText, task.request_json],
        ...[isPinned(request.metadata) ? 1 : 0, task.sent_json],
      );
    } catch (error) {
      if (sqliteCode(error) !== 'SQLITE_CONSTRAINT_UNIQUE') throw error;
      throw new ExecgoError('conflict', `task already exists: ${task_id}`);
    }
  }
}

/** True for a task that no collection removes. */
export function isPinned(metadata: TaskRequest['metadata']): boolean {
  return Object.hasOwn(metadata, PIN_KEY) && metadata[PIN_KEY] === 'true';
}

function waitingTask(task: NewTask, submit_seq: number, version: number): WaitingTask {
  const { task_id, request, retry_of, plan, reservation, created_at_ms } = task;
  return {
    task_id,
    submit_seq,
    request,
    retry_of,
    plan,
    reservation,
    created_at_ms,
    status: 'accepted',
    version,
    past_attempts: 0,
    updated_at_ms: created_at_ms,
  };
}
