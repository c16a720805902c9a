import { crashPoint } from '../../executor/crash-point.js';
import { endOf, type EndedTask } from '../../store/records.js';
import { holds, type Condition } from '../../task/dependencies.js';
import { ExecgoError } from '../../task/errors.js';
import type { TaskEvent } from '../../task/events.js';
import { isPlainObject } from '../../task/plain-object.js';
import type { RetryAnswer } from '../../task/rerun.js';
import type { RetryOptions } from '../service.js';
import { taskRecord } from '../status.js';
import { checkOwner } from './check-owner.js';
import { checkSubmit } from './dry-run.js';
import { submit, type Intake, type SubmittingCore } from './submit.js';

/**
 * Submits a task that has ended once more, as a new one with the same request, as it was sent and changed since. Once: asked
 * again, the answer is that task, unless `again` says that another is wanted.
 * @throws ExecgoError `not_found`; `permission_denied` for another owner; `conflict` while it has not ended, and for one that could
 *   not start; what a submit throws
 */
export async function retryTask(
  core: SubmittingCore,
  intake: Intake,
  taskId: string,
  { owner, again }: RetryOptions,
): Promise<RetryAnswer> {
  checkOwner(taskRecord(core, taskId), owner);
  const task = endedTask(core, taskId);
  if (task.retried_as !== undefined && !again) return earlier(taskId, task.retried_as);
  let events: TaskEvent[] = [];
  try {
    const answer = await submit(core, intake, repeated(core, task), {
      retry_of: taskId,
      check: (by) => {
        const marked = core.store.reruns.mark(taskId, { by, again, at_ms: core.now() });
        if (marked === undefined) throw new ExecgoError('conflict', `task ${taskId} was run again just now`);
        events = marked;
        crashPoint('before_rerun_commit');
      },
    });
    crashPoint('after_rerun_commit');
    core.announcer.events(events);
    return { ...answer, retry_of: taskId, created: true };
  } catch (error) {
    const by = again ? undefined : core.store.reruns.of(taskId);
    if (by === undefined) throw error;
    return earlier(taskId, by);
  }
}

/**
 * Says what {@link retryTask} would do, and does nothing.
 * @returns the task that an earlier request has made; undefined: a new one would be made
 * @throws ExecgoError as that
 */
export function checkRetry(
  core: SubmittingCore,
  intake: Intake,
  taskId: string,
  owner: string | undefined,
): string | undefined {
  checkOwner(taskRecord(core, taskId), owner);
  const task = endedTask(core, taskId);
  if (task.retried_as === undefined) checkSubmit(core, intake, repeated(core, task), { isRerun: true });
  return task.retried_as;
}

function earlier(retry_of: string, task_id: string): RetryAnswer {
  return { task_id, handle_id: task_id, status: 'accepted', retry_of, created: false };
}

/** @throws ExecgoError `conflict` while it has not ended */
function endedTask(core: SubmittingCore, taskId: string): EndedTask {
  const record = taskRecord(core, taskId);
  const ended = endOf(record);
  if (ended !== undefined) return ended;
  throw new ExecgoError(
    'conflict',
    `task ${taskId} is ${record.status}: only one that has ended can be run again`,
    { status: record.status },
  );
}

/** What is submitted. Its id, and what made sure that there is only one, belong to the task that has been. */
function repeated({ store }: Pick<SubmittingCore, 'store'>, task: EndedTask): unknown {
  const { request } = task;
  const { task_id: _, ...body } = asSent(store.tasks.sent(task.task_id)) ?? { ...request };
  const { idempotency_key: __, ...context } = isPlainObject(body.control_context) ? body.control_context : {};
  const policy = isPlainObject(body.policy) ? body.policy : {};
  const { after } = request.policy;
  return {
    ...body,
    control_context: context,
    ...(after === undefined ? {} : { policy: { ...policy, after: afterAgain(store, task, after) } }),
  };
}

function asSent(json: string | undefined): Record<string, unknown> | undefined {
  try {
    const sent: unknown = json === undefined ? undefined : JSON.parse(json);
    return isPlainObject(sent) ? sent : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What the new task starts after: of tasks that have not ended as they must those that have come in their place.
 * @throws ExecgoError `conflict` where there is none
 */
function afterAgain(
  store: SubmittingCore['store'],
  task: EndedTask,
  after: readonly Condition[],
): Condition[] {
  const found = new Map<string, Condition>();
  for (const { task_id, when } of after) {
    const latest = latestOf(store, { task_id, when });
    const end = store.dependencies.endOf(latest);
    // What is forgotten was there when the task could start.
    if (end === undefined && task.cause !== 'dependency') continue;
    if (end === undefined || (end !== 'live' && !holds(when, end)))
      throw new ExecgoError(
        'conflict',
        `task ${task.task_id} starts only after the ${when} of ${latest}, which ${end === undefined ? 'is not known any more' : `has ended as ${end}`}: run that again first`,
        { task_id: latest, when, status: end },
      );
    found.set(`${when} ${latest}`, { task_id: latest, when });
  }
  return [...found.values()];
}

/** The task itself where it may still end as it must or has, or else the last that has come in its place. */
export function latestOf(store: SubmittingCore['store'], { task_id, when }: Condition): string {
  const seen = new Set<string>();
  let latest = task_id;
  for (let next: string | undefined = task_id; next !== undefined && !seen.has(next);) {
    latest = next;
    seen.add(latest);
    const end = store.dependencies.endOf(latest);
    if (end === 'live' || (end !== undefined && holds(when, end))) break;
    next = store.reruns.of(latest);
  }
  return latest;
}
