import { ExecgoError } from '../../task/errors.js';
import { quoted } from '../../task/demands.js';
import type { TaskRequest } from '../../task/request.js';
import type { LiveTask, LiveTasks } from '../live-tasks.js';
import { inTurns } from '../turns.js';
import { replacedBy } from './classify.js';
import { changesOf, type Dispatcher } from './dispatch.js';
import { killTask, type KillingCore } from './kill.js';

type SettlingCore = KillingCore & { dispatcher: Dispatcher };

/**
 * Whether a task may come, as far as others have its concurrency key.
 * @throws ExecgoError `concurrency_conflict` where it is to be refused then; `permission_denied` where it is to take the place of
 *   tasks that others alone may cancel
 */
export function checkConflict(live: LiveTasks, request: TaskRequest): void {
  const { concurrency } = request.policy;
  if (concurrency === undefined || concurrency.on_conflict === 'wait') return;
  const { key, limit, on_conflict } = concurrency;
  const others = live.concurrency.with(request);
  if (others.size < limit) return;
  if (on_conflict === 'reject')
    throw new ExecgoError(
      'concurrency_conflict',
      `as many tasks with concurrency key ${quoted(key)} wait or run as this one allows: ${limit}`,
      { key, limit, tasks: [...others].slice(0, TASKS_NAMED) },
    );
  const owner = request.control_context?.owner;
  for (const id of others) {
    const theirs = live.get(id)?.record.request.control_context?.owner;
    if (theirs === undefined || theirs === owner) continue;
    throw new ExecgoError(
      'permission_denied',
      `permission denied: with concurrency key ${quoted(key)} this task would take the place of ${id}, which has another owner`,
    );
  }
}

/** How many tasks a refusal names. */
const TASKS_NAMED = 10;

/**
 * Makes way for tasks that take the place of others with their concurrency key. What follows from the coming of one is not
 * written down beside it: it follows from what there is, and a start finds it again.
 */
export class Conflicts {
  constructor(private readonly core: SettlingCore) {}

  /** From now on tasks that come to the queue take the place of others; those that have come do it at once. */
  start(): void {
    const { dispatcher, live } = this.core;
    dispatcher.onQueued((task) => {
      this.#settle(task);
    });
    for (const task of [...live.all()]) if (task.phase.name === 'waiting') this.#settle(task);
  }

  #settle(task: LiveTask): void {
    const { live, log, schedule } = this.core;
    const { task_id, request } = task.record;
    const { concurrency } = request.policy;
    if (concurrency === undefined || schedule.notYet.has(task_id)) return;
    const { limit, on_conflict } = concurrency;
    if (on_conflict !== 'replace_waiting' && on_conflict !== 'cancel_running') return;
    const older: LiveTask[] = [];
    for (const id of live.concurrency.with(request)) {
      if (id === task_id) break;
      const other = live.get(id);
      if (other !== undefined && isStaying(other)) older.push(other);
    }
    if (older.length < limit) return;
    const waiting = older.filter(({ record }) => record.status === 'accepted');
    const running = older.filter(({ record }) => record.status === 'running');
    const tooMany =
      on_conflict === 'cancel_running' ? running.slice(0, Math.max(0, running.length + 1 - limit)) : [];
    const both = [
      inTurns(waiting, (other) => this.#replace(other, task, on_conflict === 'cancel_running')),
      inTurns(tooMany, (other) => killTask(this.core, other, {})),
    ];
    Promise.all(both.map(async (each) => Promise.all(await each))).catch((error: unknown) => {
      log.error({ err: error, task_id }, 'a task cannot take the place of others');
    });
  }

  /** Cancels one that waits. @param evenRunning also when it has just been started */
  async #replace(task: LiveTask, by: LiveTask, evenRunning: boolean): Promise<void> {
    const { ends, schedule } = this.core;
    schedule.withdraw(task.record.task_id);
    await changesOf(task);
    if (!isStaying(task)) return;
    if (task.record.status === 'running') {
      if (evenRunning) await killTask(this.core, task, {});
      return;
    }
    schedule.withdraw(task.record.task_id);
    await ends.withVerdict(task, replacedBy(task.record, by.record));
  }
}

function isStaying(task: LiveTask): boolean {
  return task.ending === undefined && task.kill === undefined;
}
