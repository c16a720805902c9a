import { attemptOf } from '../../executor/executor.js';
import { unmetDemand } from '../../task/demands.js';
import { ExecgoError } from '../../task/errors.js';
import type { NewEvent } from '../../task/events.js';
import type { PlannedTask } from '../../task/plan.js';
import { shareOf, type Changed, type RunningTask, type WaitingTask } from '../../store/records.js';
import type { Core } from '../core.js';
import { crashPoint } from '../../executor/crash-point.js';
import type { LiveTask } from '../live-tasks.js';
import { restoreTaskFiles } from '../files/task-files.js';
import { completeWithout } from './complete.js';
import { CANCELLED, notLaunched, queueTimeout, refusedPlan } from './classify.js';
import { Deadline } from '../../task/deadline.js';
import { planAnew, planEvents } from './plan.js';
import { mayPass, retry } from '../../store/retry.js';
import { emptyOutSoon } from '../upkeep/remove-tasks.js';

/**
 * First gives tasks whose attempt never began another one, then starts every waiting task that the ledger has room for, in
 * the scheduler's order: reserves its share, commits `running` with attempt and place, and only then tells the executor.
 * Called whenever a task ended, came or changed; nothing polls.
 */
export function pump(core: Core): void {
  if (core.executor.place === undefined) {
    if (core.unlaunched.size > 0 || core.waiting.size > 0) core.executor.wanted();
    return;
  }
  for (const task of core.unlaunched) {
    core.unlaunched.delete(task);
    track(core, task, relaunch, launchAgain);
  }
  if (!core.accepting) return;
  for (;;) {
    const taskId = core.waiting.next(core.ledger, core.steady());
    const task = taskId === undefined ? undefined : core.live.get(taskId);
    if (task === undefined) return;
    claim(core, task);
    track(core, task, dispatch, giveBack);
  }
}

/**
 * Launches a task, again and again while the disk is full. What else keeps it from being launched ends it: it must neither
 * hold its share for nothing nor keep others waiting.
 * @param launch one try, which others wait for; false when there is no place any more
 * @param unserved what to do with it then
 */
function track(
  core: Core,
  task: LiveTask,
  launch: (core: Core, task: LiveTask) => Promise<boolean>,
  unserved: (core: Core, task: LiveTask) => void,
): void {
  const { task_id } = task.record;
  const once = async () => {
    const launching = launch(core, task);
    const settled = launching.then(
      () => undefined,
      () => undefined,
    );
    const underWay = { what: 'launch', settled } as const;
    if (task.ending === undefined) task.underWay = underWay;
    let isServed: boolean;
    try {
      isServed = await launching;
    } finally {
      // It may have been refused meanwhile, and its next attempt is being started.
      if (task.underWay === underWay) task.underWay = undefined;
    }
    if (!isServed) unserved(core, task);
  };
  const what = 'cannot write down an attempt';
  const lasts = () =>
    !core.store.commits.closed && core.live.get(task_id) === task && task.ending === undefined;
  retry(once, { log: core.log, what, about: { task_id }, lasts }).catch((error: unknown) => {
    if (lasts()) void completeWithout(core, task, notLaunched(error));
  });
}

/** Puts a task that is committed as `accepted` into the queue, or among those that demand another machine. */
export function enqueue(core: Core, task: LiveTask): void {
  const { phase } = task;
  if (phase.name !== 'waiting') return;
  const { record, acceptedAt } = phase;
  if (unmetDemand(record.request, core.settings.machine) !== undefined) core.unmatched.add(record.task_id);
  else
    core.waiting.add({
      task_id: record.task_id,
      tenant: record.request.control_context?.tenant,
      priority: record.request.policy.priority,
      submit_seq: record.submit_seq,
      accepted_at_ms: acceptedAt,
      reservation: shareOf(record),
    });
  const limit = record.request.limits.queue_timeout_ms;
  if (limit === undefined || phase.cancelQueueTimeout !== undefined) return;
  const leftMs = acceptedAt + limit - core.steady();
  const deadline = new Deadline(leftMs, () => void expire(core, task)).unref();
  phase.cancelQueueTimeout = () => deadline.cancel();
}

/** Settles once no launch of the task is being committed. */
export async function launchOf(task: LiveTask): Promise<void> {
  while (task.underWay?.what === 'launch') await task.underWay.settled;
}

/** Ends a task that has waited too long, unless it is being started already. */
async function expire(core: Core, task: LiveTask): Promise<void> {
  await launchOf(task);
  if (task.record.status !== 'accepted' || task.ending !== undefined) return;
  core.waiting.remove(task.record.task_id);
  const unmet = unmetDemand(task.record.request, core.settings.machine);
  await completeWithout(core, task, queueTimeout(task.record.request, unmet?.detail));
}

function claim(core: Core, { record }: LiveTask): void {
  core.waiting.remove(record.task_id);
  core.ledger.reserve(record.task_id, record.request.control_context?.tenant, shareOf(record), core.now());
}

/** One that is being killed is left to that, with its share. */
function giveBack(core: Core, task: LiveTask): void {
  if (task.record.status !== 'accepted' || task.ending !== undefined || task.kill !== undefined) return;
  core.ledger.release(task.record.task_id);
  enqueue(core, task);
  pump(core);
}

/** Gives a task whose attempt never began another one, as soon as there is a place for it. */
export function launchAgain(core: Core, task: LiveTask): void {
  core.unlaunched.add(task);
  pump(core);
}

/**
 * What is committed of a new launch. To be made inside the transaction: a place that is known to be dead is forgotten by
 * another one, unless a launch was given to it before.
 */
function newLaunch(core: Core) {
  const { place } = core.executor;
  if (place === undefined) return undefined;
  return {
    launch_id: core.store.nextLaunchId(),
    launch_token: core.newToken(),
    incarnation: place.incarnation,
    shim_pid: place.pid,
  };
}

/**
 * Claims the share of a task that has just been written down, if it is the next to start, and writes that it runs. To be
 * called in the transaction that writes it down. Who does gives the share back when that fails, and calls {@link tell} once
 * it is committed.
 */
export function dispatchAtOnce(core: Core, task: WaitingTask): Changed<RunningTask> | undefined {
  if (!core.accepting) return undefined;
  const { task_id, request } = task;
  if (unmetDemand(request, core.settings.machine) !== undefined) return undefined;
  const share = { tenant: request.control_context?.tenant, reservation: shareOf(task) };
  if (!core.waiting.startsAtOnce(share, core.ledger, core.steady())) return undefined;
  const dispatched = markDispatched(core, task);
  if (dispatched !== undefined) core.ledger.reserve(task_id, share.tenant, share.reservation, core.now());
  return dispatched;
}

/**
 * In the transaction of its caller.
 * @returns undefined when there is no place
 * @throws Error when the task does not wait any more
 */
function markDispatched(core: Core, task: WaitingTask): Changed<RunningTask> | undefined {
  const launch = newLaunch(core);
  if (launch === undefined) return undefined;
  const at_ms = core.now();
  const reserved: NewEvent = {
    event_type: 'resource_reserved',
    timestamp_ms: at_ms,
    data: shareOf(task),
  };
  const dispatched = core.store.markDispatched(task, { ...launch, at_ms, events: [reserved] });
  if (dispatched === undefined) throw new Error(`task ${task.task_id} is no longer waiting`);
  return dispatched;
}

async function dispatch(core: Core, task: LiveTask): Promise<boolean> {
  const { record } = task;
  if (record.status !== 'accepted') return true;
  checkFiles(core, task);
  const done = await core.store.commits.write(() => {
    const dispatched = markDispatched(core, record);
    crashPoint('before_dispatch_commit');
    return dispatched;
  });
  if (done === undefined) return false;
  crashPoint('after_dispatch_commit');
  core.live.update(task, done.task);
  core.announcer.events(done.events);
  tell(core, task);
  return true;
}

/**
 * Commits a new attempt for a task whose last one never began, with a plan for this daemon and host; ends the task instead
 * if a kill was requested.
 */
async function relaunch(core: Core, task: LiveTask): Promise<boolean> {
  const { record } = task;
  if (record.status !== 'running' || task.ending !== undefined) return true;
  if (task.kill !== undefined) {
    // Not awaited: while the disk is full it takes long, and a kill waits for this dispatch.
    void completeWithout(core, task, CANCELLED);
    return true;
  }
  const planned = planOf(core, task);
  if (planned === 'refused') return true;
  checkFiles(core, task);
  const done = await core.store.commits.write(() => {
    const launch = newLaunch(core);
    if (launch === undefined) return undefined;
    const at_ms = core.now();
    const before =
      planned === undefined
        ? { task: record, events: [] }
        : core.store.markPlanned(record, planned, planEvents(planned.plan, at_ms));
    const relaunched = before && core.store.markRelaunched(before.task, { ...launch, at_ms });
    crashPoint('before_relaunch_commit');
    if (before === undefined || relaunched === undefined)
      throw new Error(`launch ${record.attempt.launch_id ?? 0} of task ${record.task_id} has begun`);
    return { task: relaunched.task, events: before.events };
  });
  if (done === undefined) return false;
  crashPoint('after_relaunch_commit');
  core.live.update(task, done.task);
  core.announcer.events(done.events);
  tell(core, task);
  return true;
}

/**
 * The plan to start by, if the one an earlier daemon made does not hold any more; 'refused' when there is none and the task
 * has failed.
 */
function planOf(core: Core, task: LiveTask): PlannedTask | undefined | 'refused' {
  try {
    return planAnew(core, task.record);
  } catch (error) {
    if (!(error instanceof ExecgoError)) throw error;
    void completeWithout(core, task, refusedPlan(error));
    return 'refused';
  }
}

/**
 * Gives the committed attempt to its place. If the place is gone, it did not know of this attempt, which gets another place.
 */
export function tell(core: Core, task: LiveTask): void {
  const attempt = task.record.status === 'running' ? attemptOf(task.record) : undefined;
  if (attempt !== undefined && !core.executor.launch(attempt)) launchAgain(core, task);
}

function checkFiles(core: Core, task: LiveTask): void {
  if (task.filesChecked) return;
  const { dataDir, taskOwner } = core.settings;
  const { task_id, request } = task.record;
  try {
    const spoilt = restoreTaskFiles(dataDir, task_id, request, taskOwner);
    emptyOutSoon(core, spoilt);
  } catch (error) {
    if (mayPass(error, 1)) throw error;
    core.log.error({ err: error, task_id }, 'the files of a waiting task cannot be made');
    const reason = error instanceof Error ? error.message : String(error);
    throw new ExecgoError('launch_failed', `cannot launch: the files of the task cannot be made: ${reason}`);
  }
  task.filesChecked = true;
}
