import type { KillRequest, LiveTask } from '../live-tasks.js';
import { CANCELLED, cancelledWaiting } from './classify.js';
import type { Ends } from './complete.js';
import { changesOf } from './dispatch.js';
import type { Core } from '../core.js';
import { crashPoint } from '../../executor/crash-point.js';
import { killEvent } from './kill-event.js';
import { startIfNear } from './wait.js';
import type { Executor } from '../../executor/executor.js';
import type { Schedule } from '../schedule.js';

/** What a kill works with. */
export type KillingCore = Core & { schedule: Schedule; ends: Ends; executor: Executor };

/**
 * Cancels a task: a waiting one ends at once, a running one gets TERM now and KILL after the grace. The kill is written down
 * first, but carried out even if that fails. It is no error when the task is ending already.
 * @returns when the executor was told; the task may still run
 */
export async function killTask(core: KillingCore, task: LiveTask, how: KillRequest): Promise<void> {
  if (task.ending !== undefined) {
    await forbidFurther(task, how);
    return;
  }
  const first = task.kill === undefined;
  const firstOrder = task.stopByKill(how);
  core.schedule.withdraw(task.record.task_id);
  await changesOf(task);
  if (isEnding(task)) return;
  if (task.record.status === 'accepted') {
    await new Promise<void>((resolve) => {
      void core.ends.withVerdict(task, cancelledWaiting(task.record), resolve).then(() => {
        resolve();
      });
    });
    return;
  }
  if (first) {
    await startIfNear(core, task, START_PATIENCE_MS, new AbortController().signal);
    if (isEnding(task)) return;
    await recordKill(core, task);
  }
  const { launchId } = task;
  if (launchId === null) return;
  // It has no process, and it may take long until there is a place for another attempt.
  if (task.refusal?.launch_id === launchId || core.schedule.unlaunched.has(task))
    void core.ends.withVerdict(task, CANCELLED);
  // The first kill may still be waiting for the start and would be told after this one, although it counts: so both are told
  // in order.
  else
    for (const order of new Set([firstOrder, how]))
      core.executor.kill(launchId, { signal: order.signal, grace_ms: order.grace_ms });
  crashPoint('after_kill_told');
}

/**
 * How long a kill waits for the start of a task that has just been dispatched, so that both come in order in its history. The
 * supervisor tells a start within milliseconds; one that is stopped or gone must not hold up a kill.
 */
const START_PATIENCE_MS = 250;

/**
 * Its attempt has ended, and that is being written down: no other may follow. It is waited for that only as long as for a
 * start: while the disk is full it takes long.
 */
async function forbidFurther(task: LiveTask, how: KillRequest): Promise<void> {
  if (task.record.request.policy.retry === undefined) return;
  task.stopByKill(how);
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<true>((resolve) => (timer = setTimeout(resolve, START_PATIENCE_MS, true)));
  // After the end of the attempt that of the task, where the kill came too late to take its place.
  let waitedFor: Promise<boolean> | undefined;
  for (let ending = task.ending; ending !== undefined && ending !== waitedFor; ending = task.ending) {
    waitedFor = ending;
    if (await Promise.race([ending.then(() => false), patience])) break;
  }
  clearTimeout(timer);
}

async function recordKill(core: Core, task: LiveTask): Promise<void> {
  const at = core.now();
  const { record } = task;
  const note = task.kill?.note;
  crashPoint('before_kill_commit');
  try {
    const killed = await core.store.commits.write(() =>
      core.store.changes.killRequested(task.record, at, note, [killEvent(at, note)]),
    );
    crashPoint('after_kill_commit');
    if (killed === undefined) return;
    core.live.update(task, killed.task);
    core.announcer.events(killed.events);
  } catch (error) {
    core.log.error(
      { err: error, task_id: record.task_id },
      'cannot write down a kill; it is delivered all the same',
    );
  }
}

/** A function, because the compiler would take an answer for final, and it may change during each wait. */
function isEnding(task: LiveTask): boolean {
  return task.ending !== undefined;
}
