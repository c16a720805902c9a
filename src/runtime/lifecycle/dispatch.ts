import { randomUUID } from 'node:crypto';
import { attemptOf, type Executor, type ExecutorEvents } from '../../executor/executor.js';
import { unmetDemand } from '../../task/demands.js';
import { ExecgoError } from '../../task/errors.js';
import type { NewEvent } from '../../task/events.js';
import type { PlannedTask } from '../../task/plan.js';
import { shareOf, type Changed, type RunningTask, type WaitingTask } from '../../store/records.js';
import type { Core } from '../core.js';
import { crashPoint } from '../../executor/crash-point.js';
import type { LiveTask } from '../live-tasks.js';
import { restoreTaskFiles } from '../files/task-files.js';
import { AttemptEvents } from './attempt-events.js';
import type { Ends } from './complete.js';
import { CANCELLED, notLaunched, queueTimeout, refusedPlan } from './classify.js';
import { Deadline } from '../../task/deadline.js';
import { planAnew, planEvents } from './plan.js';
import { mayPass, retry } from '../../store/retry.js';
import { emptyOutSoon } from '../upkeep/remove-tasks.js';
import type { Schedule } from '../schedule.js';
import type { FileThread } from '../upkeep/file-thread.js';
import { messageOf } from '../../files/errno.js';
import { Admission } from './admission.js';

type StartingCore = Core & { schedule: Schedule; ends: Ends; files: FileThread };

/**
 * Settles once the launch or the edit of the task that is being committed is; undefined while there is none. Another may have begun
 * then: who waits asks again.
 */
export function changeOf({ underWay }: LiveTask): Promise<void> | undefined {
  return underWay === undefined || underWay.what === 'end' ? undefined : underWay.settled;
}

/** Settles once no launch or edit of the task is being committed. */
export async function changesOf(task: LiveTask): Promise<void> {
  for (let change = changeOf(task); change !== undefined; change = changeOf(task)) await change;
}

/** Starts tasks: commits that they run, and gives their attempts to the executor. */
export class Dispatcher {
  readonly executor: Executor;
  private readonly admission: Admission;
  #queued: (task: LiveTask) => void = () => undefined;

  /** @param newToken makes random tokens */
  constructor(
    private readonly core: StartingCore,
    open: (events: ExecutorEvents) => Executor,
    private readonly newToken: () => string = randomUUID,
  ) {
    this.executor = open(new AttemptEvents(core, this));
    this.admission = new Admission(core, this);
    core.announcer.onAnyEnd(() => {
      this.pump();
    });
    core.announcer.onAnyRetry((taskId) => {
      const task = core.live.get(taskId);
      if (task !== undefined) this.enqueue(task);
      this.pump();
    });
  }

  /**
   * First gives tasks whose attempt never began another one, then starts every waiting task that the ledger has room for, in
   * the scheduler's order: reserves its share, commits `running` with attempt and place, and only then tells the executor.
   * Called whenever a task ended, came or changed; nothing polls.
   */
  pump(): void {
    const { schedule, live, now } = this.core;
    if (this.executor.place === undefined) {
      if (schedule.unlaunched.size > 0 || schedule.queued > 0) this.executor.wanted();
      return;
    }
    for (const task of schedule.unlaunched) {
      schedule.unlaunched.delete(task);
      this.track(task, 'relaunch', 'launchAgain');
    }
    for (;;) {
      const taskId = schedule.next();
      const task = taskId === undefined ? undefined : live.get(taskId);
      if (task === undefined) return;
      schedule.claim(task.record, now());
      this.track(task, 'dispatch', 'giveBack');
    }
  }

  /**
   * Launches a task, again and again while the disk is full. What else keeps it from being launched ends it: it must neither
   * hold its share for nothing nor keep others waiting.
   * @param launch one try, which others wait for; false when there is no place any more
   * @param unserved what to do with it then
   */
  private track(task: LiveTask, launch: 'dispatch' | 'relaunch', unserved: 'giveBack' | 'launchAgain'): void {
    const { store, live, log, ends } = this.core;
    const { task_id } = task.record;
    const once = async () => {
      const launching = this[launch](task);
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
      if (!isServed) this[unserved](task);
    };
    const what = 'cannot write down an attempt';
    const lasts = () => !store.commits.closed && live.get(task_id) === task && task.ending === undefined;
    retry(once, { log, what, about: { task_id }, lasts }).catch((error: unknown) => {
      if (lasts()) void ends.withVerdict(task, notLaunched(error));
    });
  }

  /** Sets the one that is told of each task that comes to wait. */
  onQueued(listener: (task: LiveTask) => void): void {
    this.#queued = listener;
  }

  /**
   * Puts a task that is committed as `accepted` where it waits: into the queue, among those that demand another machine, or among
   * those that may not start yet.
   */
  enqueue(task: LiveTask): void {
    const { phase } = task;
    if (phase.name !== 'waiting') return;
    if (!this.admission.mayStart(phase)) return;
    this.core.schedule.add(phase);
    this.#queued(task);
    const limit = phase.record.request.limits.queue_timeout_ms;
    if (limit === undefined || phase.cancelQueueTimeout !== undefined) return;
    const leftMs = limit - this.core.live.sinceMs(phase.mayStartAt);
    const deadline = new Deadline(leftMs, () => void this.expire(task)).unref();
    phase.cancelQueueTimeout = () => deadline.cancel();
  }

  /** Lets a task that waits do so where it belongs now; what it may wait counts from when it could start, all the same. */
  requeue(task: LiveTask): void {
    const { phase } = task;
    if (phase.name !== 'waiting') return;
    phase.cancelQueueTimeout?.();
    phase.cancelQueueTimeout = undefined;
    this.core.schedule.withdraw(phase.record.task_id);
    this.enqueue(task);
    this.pump();
  }

  /** Ends a task that has waited too long, unless it is being started already. */
  private async expire(task: LiveTask): Promise<void> {
    for (let change = changeOf(task); change !== undefined; change = changeOf(task)) await change;
    if (task.record.status !== 'accepted' || task.ending !== undefined) return;
    this.core.schedule.withdraw(task.record.task_id);
    const unmet = unmetDemand(task.record.request, this.core.settings.machine);
    await this.core.ends.withVerdict(task, queueTimeout(task.record.request, unmet?.detail));
  }

  /** Takes back the share of a task that could not be started; it waits again. One that is being killed keeps it until its end. */
  private giveBack(task: LiveTask): void {
    if (task.record.status !== 'accepted' || task.ending !== undefined || task.kill !== undefined) return;
    this.core.schedule.release(task);
    this.enqueue(task);
    this.pump();
  }

  /** Gives a task whose attempt never began another one, as soon as there is a place for it. */
  launchAgain(task: LiveTask): void {
    this.core.schedule.unlaunched.add(task);
    this.pump();
  }

  /**
   * What is committed of a new attempt. To be made inside the transaction: a place that is known to be dead is forgotten by a
   * transaction as well, once no attempt is given to it.
   */
  private newAttempt() {
    const { place } = this.executor;
    if (place === undefined) return undefined;
    return {
      launch_id: this.core.store.attemptIds.next(),
      launch_token: this.newToken(),
      incarnation: place.incarnation,
      shim_pid: place.pid,
    };
  }

  /**
   * Claims the share of a task that has just been written down, if it is the next to start, and writes that it runs. To be
   * called in the transaction that writes it down. When that fails, the caller gives the share back; once it is committed, it
   * calls {@link tell}.
   */
  dispatchAtOnce(task: WaitingTask): Changed<RunningTask> | undefined {
    const { schedule, now } = this.core;
    if (this.executor.place === undefined || !schedule.isNext(task)) return undefined;
    schedule.claim(task, now());
    return this.markDispatched(task);
  }

  /**
   * In the transaction of its caller, who has claimed its share.
   * @returns undefined when there is no place
   * @throws Error when the task does not wait any more
   */
  private markDispatched(task: WaitingTask): Changed<RunningTask> | undefined {
    const launch = this.newAttempt();
    if (launch === undefined) return undefined;
    const at_ms = this.core.now();
    const own = this.core.schedule.ledger.itemsOf(task.task_id);
    const items = Object.keys(own).length === 0 ? undefined : own;
    const data = items === undefined ? shareOf(task) : { ...shareOf(task), items };
    const reserved: NewEvent = { event_type: 'resource_reserved', timestamp_ms: at_ms, data };
    const dispatched = this.core.store.changes.dispatch(task, {
      ...launch,
      at_ms,
      items,
      events: [reserved],
    });
    if (dispatched === undefined) throw new Error(`task ${task.task_id} is no longer waiting`);
    return dispatched;
  }

  private async dispatch(task: LiveTask): Promise<boolean> {
    const { record } = task;
    if (record.status !== 'accepted') return true;
    checkFiles(this.core, task);
    const done = await this.core.store.commits.write(() => {
      const dispatched = this.markDispatched(record);
      crashPoint('before_dispatch_commit');
      return dispatched;
    });
    if (done === undefined) return false;
    crashPoint('after_dispatch_commit');
    this.committed(task, done);
    return true;
  }

  /**
   * Commits a new attempt for a task whose last one never began, with a plan for this daemon and host; ends the task instead
   * if a kill was requested.
   */
  private async relaunch(task: LiveTask): Promise<boolean> {
    const { record } = task;
    if (record.status !== 'running' || task.ending !== undefined) return true;
    if (task.kill !== undefined) {
      // Not awaited: while the disk is full it takes long, and a kill waits for this dispatch.
      void this.core.ends.withVerdict(task, CANCELLED);
      return true;
    }
    const planned = this.planOf(task);
    if (planned === 'refused') return true;
    checkFiles(this.core, task);
    const { store, now } = this.core;
    const done = await store.commits.write(() => {
      const launch = this.newAttempt();
      if (launch === undefined) return undefined;
      const at_ms = now();
      const before =
        planned === undefined
          ? { task: record, events: [] }
          : store.changes.plan(record, planned, planEvents(planned.plan, at_ms));
      const relaunched = before && store.changes.relaunch(before.task, { ...launch, at_ms });
      crashPoint('before_relaunch_commit');
      if (before === undefined || relaunched === undefined)
        throw new Error(`attempt ${record.attempt.launch_id ?? 0} of task ${record.task_id} has begun`);
      return { task: relaunched.task, events: before.events };
    });
    if (done === undefined) return false;
    crashPoint('after_relaunch_commit');
    this.committed(task, done);
    return true;
  }

  /**
   * The plan to start by, if the one an earlier daemon made does not hold any more; 'refused' when there is none and the task
   * has failed.
   */
  private planOf(task: LiveTask): PlannedTask | undefined | 'refused' {
    try {
      return planAnew(this.core, task.record);
    } catch (error) {
      if (!(error instanceof ExecgoError)) throw error;
      void this.core.ends.withVerdict(task, refusedPlan(error));
      return 'refused';
    }
  }

  private committed(task: LiveTask, { task: record, events }: Changed<RunningTask>): void {
    this.core.live.update(task, record);
    this.core.announcer.events(events);
    this.tell(task);
  }

  /**
   * Gives the committed attempt to its place. If the place is gone, it did not know of this attempt, which gets another place.
   */
  tell(task: LiveTask): void {
    const attempt = task.record.status === 'running' ? attemptOf(task.record) : undefined;
    if (attempt !== undefined && !this.executor.launch(attempt)) this.launchAgain(task);
  }
}

function checkFiles(core: Pick<StartingCore, 'settings' | 'files' | 'log'>, task: LiveTask): void {
  if (task.filesChecked) return;
  const { dataDir, taskOwner } = core.settings;
  const { task_id, request, past_attempts } = task.record;
  try {
    const spoilt = restoreTaskFiles(dataDir, task_id, request, past_attempts + 1, taskOwner);
    emptyOutSoon(core, spoilt);
  } catch (error) {
    if (mayPass(error, 1)) throw error;
    core.log.error({ err: error, task_id }, 'the files of a waiting task cannot be made');
    throw new ExecgoError(
      'launch_failed',
      `cannot launch: the files of the task cannot be made: ${messageOf(error)}`,
    );
  }
  task.filesChecked = true;
}
