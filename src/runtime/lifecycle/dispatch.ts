import { attemptOf, type Place } from '../../executor/executor.js';
import { unmetDemand } from '../../task/demands.js';
import { ExecgoError } from '../../task/errors.js';
import type { NewEvent } from '../../task/events.js';
import type { PlannedTask } from '../../task/plan.js';
import type { Core } from '../core.js';
import { crashPoint } from '../../executor/crash-point.js';
import type { LiveTask } from '../live-tasks.js';
import { restoreTaskFiles } from '../files/task-files.js';
import { completeWithout } from './complete.js';
import { CANCELLED, notLaunched, queueTimeout, refusedPlan } from './classify.js';
import { longTimeout } from '../long-timeout.js';
import { planAnew, planEvents } from './plan.js';
import { mayPass, retry } from '../../store/retry.js';
import { emptyOutSoon } from '../upkeep/remove-tasks.js';

/**
 * Gives launches that never began another supervisor, then starts every waiting task that the ledger has room for, in
 * the scheduler's order: claims its share, commits `running` with launch id and supervisor, and only then tells the
 * supervisor. Called whenever something ended, came or changed; nothing polls.
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
 * @param launch one try, which others wait for
 * @param unserved what to do with it when there is no supervisor any more
 */
function track(
  core: Core,
  task: LiveTask,
  launch: (core: Core, task: LiveTask, place: Place) => Promise<void>,
  unserved: (core: Core, task: LiveTask) => void,
): void {
  const { task_id } = task.record;
  const once = async () => {
    const { place } = core.executor;
    if (place === undefined) {
      unserved(core, task);
      return;
    }
    const launching = launch(core, task, place);
    const underWay = { what: 'launch', settled: launching.catch(() => undefined) } as const;
    if (task.ending === undefined) task.underWay = underWay;
    try {
      await launching;
    } finally {
      // It may have been refused while it was told, and the next one be under way.
      if (task.underWay === underWay) task.underWay = undefined;
    }
  };
  const what = 'cannot write down a launch';
  const lasts = () =>
    !core.store.commits.closed && core.live.get(task_id) === task && task.ending === undefined;
  retry(once, { log: core.log, what, about: { task_id }, lasts }).catch((error: unknown) => {
    if (lasts()) void completeWithout(core, task, notLaunched(error));
  });
}

/** Puts a task that is committed as `accepted` into the queue, or among those that this machine is not for. */
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
      reservation: record.reservation ?? { task_slots: 1 },
    });
  const limit = record.request.limits.queue_timeout_ms;
  if (limit === undefined || phase.cancelQueueTimeout !== undefined) return;
  phase.cancelQueueTimeout = longTimeout(
    () => {
      void expire(core, task);
    },
    acceptedAt + limit - core.steady(),
  );
}

/** Settles with the launch of a task that is being committed, if there is one. */
export async function launchOf({ underWay }: LiveTask): Promise<void> {
  if (underWay?.what === 'launch') await underWay.settled;
}

/** Ends a task that waited too long; one whose dispatch is under way has made it. */
async function expire(core: Core, task: LiveTask): Promise<void> {
  await launchOf(task);
  if (task.record.status !== 'accepted' || task.ending !== undefined) return;
  core.waiting.remove(task.record.task_id);
  const unmet = unmetDemand(task.record.request, core.settings.machine);
  await completeWithout(core, task, queueTimeout(task.record.request, unmet?.detail));
}

function claim(core: Core, { record }: LiveTask): void {
  core.waiting.remove(record.task_id);
  core.ledger.reserve(
    record.task_id,
    record.request.control_context?.tenant,
    record.reservation ?? { task_slots: 1 },
    core.now(),
  );
}

function giveBack(core: Core, task: LiveTask): void {
  if (task.record.status !== 'accepted' || task.ending !== undefined) return;
  core.ledger.release(task.record.task_id);
  enqueue(core, task);
  pump(core);
}

/** Gives a launch that never began another one, as soon as there is a supervisor that takes it. */
export function launchAgain(core: Core, task: LiveTask): void {
  core.unlaunched.add(task);
  pump(core);
}

async function dispatch(core: Core, task: LiveTask, place: Place): Promise<void> {
  const { record } = task;
  if (record.status !== 'accepted') return;
  checkFiles(core, task);
  const at = core.now();
  const launch = {
    launch_token: core.newToken(),
    incarnation: place.incarnation,
    shim_pid: place.pid,
  };
  const reserved: NewEvent = {
    event_type: 'resource_reserved',
    timestamp_ms: at,
    data: record.reservation ?? { task_slots: 1 },
  };
  const done = await core.store.commits.write(() => {
    const launch_id = core.store.nextLaunchId();
    const dispatched = core.store.markDispatched(record, {
      ...launch,
      launch_id,
      at_ms: at,
      events: [reserved],
    });
    crashPoint('before_dispatch_commit');
    return dispatched;
  });
  if (done === undefined) throw new Error(`task ${record.task_id} is no longer waiting`);
  crashPoint('after_dispatch_commit');
  core.live.update(task, done.task);
  core.announcer.events(done.events);
  tell(core, task);
}

/**
 * Commits a new launch of a task whose old one never began, by a plan of this start; ends the task instead if its kill was
 * asked for.
 */
async function relaunch(core: Core, task: LiveTask, place: Place): Promise<void> {
  const { record } = task;
  if (record.status !== 'running' || task.ending !== undefined) return;
  if (task.kill !== undefined) {
    // Not waited for: while the disk is full it takes long, and whoever kills waits for this dispatch.
    void completeWithout(core, task, CANCELLED);
    return;
  }
  const planned = planOf(core, task);
  if (planned === 'refused') return;
  checkFiles(core, task);
  const launch = {
    launch_token: core.newToken(),
    incarnation: place.incarnation,
    shim_pid: place.pid,
  };
  const done = await core.store.commits.write(() => {
    const next = core.store.nextLaunchId();
    const at_ms = core.now();
    const before =
      planned === undefined
        ? { task: record, events: [] }
        : core.store.markPlanned(record, planned, planEvents(planned.plan, at_ms));
    const relaunched =
      before && core.store.markRelaunched(before.task, { ...launch, launch_id: next, at_ms });
    crashPoint('before_relaunch_commit');
    return relaunched && { task: relaunched.task, events: before.events };
  });
  crashPoint('after_relaunch_commit');
  if (done === undefined)
    throw new Error(`launch ${record.attempt.launch_id ?? 0} of task ${record.task_id} has begun`);
  core.live.update(task, done.task);
  core.announcer.events(done.events);
  tell(core, task);
}

/** The plan to launch by, where an earlier start left another; 'refused' when the task has failed for want of one. */
function planOf(core: Core, task: LiveTask): PlannedTask | undefined | 'refused' {
  try {
    return planAnew(core, task.record);
  } catch (error) {
    if (!(error instanceof ExecgoError)) throw error;
    void completeWithout(core, task, refusedPlan(error));
    return 'refused';
  }
}

/** Gives the place what is committed now. One that has gone meanwhile was settled without this attempt. */
function tell(core: Core, task: LiveTask): void {
  const attempt = task.record.status === 'running' ? attemptOf(task.record) : undefined;
  if (attempt !== undefined && !core.executor.launch(attempt)) core.unlaunched.add(task);
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
