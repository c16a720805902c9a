import type { Executor } from '../../executor/executor.js';
import { ExecgoError } from '../../task/errors.js';
import type { LiveTask, Turn } from '../live-tasks.js';
import { taskRecord } from '../status.js';
import { changesOf } from './dispatch.js';
import { commitTurn, isPaused, tellTurn, type TurningCore } from './turn.js';
import { startIfNear, waitAtMost } from './wait.js';

/** What pausing and resuming need. */
type PausingCore = TurningCore & { executor: Executor };

/**
 * Stops all processes of a running task, and its wall time, until it is resumed or is to end. It is written down first; one that
 * is paused already stays as it is. It keeps its share of the ledger.
 * @param waitMs how long to wait for its start, where that is near, and then until nothing of it runs any more
 * @returns when that is so, or the time has passed: it is done all the same
 * @throws ExecgoError `conflict` when it does not run, is being ended, or runs where nothing can be paused, and when what it
 *   does keeps it from being paused, which is known a few seconds later; `unavailable` when it is not known whether it can be;
 *   `not_found`
 */
export async function pauseTask(
  core: PausingCore,
  taskId: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { task, launchId } = await startedTask(core, taskId, 'paused', waitMs, signal);
  refuseEnding(task);
  const isPausable = core.executor.canPause(launchId);
  if (isPausable === undefined)
    throw new ExecgoError(
      'unavailable',
      `the supervisor of task ${taskId} does not answer, and may not be able to pause: try again`,
    );
  if (!isPausable)
    throw new ExecgoError(
      'conflict',
      `task ${taskId} was started by an earlier version of execgo, which cannot pause: only what was started since can be paused`,
    );
  await commitTurn(core, task, 'pause', (at) => {
    const record = task.at(launchId);
    if (record === undefined || task.stop !== undefined || task.ending !== undefined) return undefined;
    return core.store.changes.pause(record, at, [{ event_type: 'paused', timestamp_ms: at }]);
  });
  refuseEnding(task);
  await tell(core, task, launchId, 'paused', waitMs, signal);
}

/**
 * Lets a paused task go on; one that is not paused runs on as it does.
 * @param waitMs as for {@link pauseTask}, until it goes on
 * @throws as {@link pauseTask}, but not for a task that is being ended, which goes on in any case
 */
export async function resumeTask(
  core: PausingCore,
  taskId: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { task, launchId } = await startedTask(core, taskId, 'resumed', waitMs, signal);
  await commitTurn(core, task, 'resume', (at) => {
    const record = task.at(launchId);
    return record && core.store.changes.resume(record, at, [{ event_type: 'resumed', timestamp_ms: at }]);
  });
  if (task.stop === undefined && task.ending === undefined)
    await tell(core, task, launchId, 'resumed', waitMs, signal);
}

async function startedTask(
  core: PausingCore,
  taskId: string,
  what: Turn['to'],
  waitMs: number,
  signal: AbortSignal,
): Promise<{ task: LiveTask; launchId: number }> {
  const task = core.live.get(taskId);
  const only = `only a running task can be ${what}`;
  if (task === undefined) {
    const { status } = taskRecord(core, taskId);
    throw new ExecgoError('conflict', `task ${taskId} has ended (${status}): ${only}`);
  }
  await changesOf(task);
  await startIfNear(core, task, waitMs, signal);
  const { launchId } = task;
  if (launchId !== null && task.phase.name === 'started') return { task, launchId };
  const isWaiting = task.phase.name === 'waiting';
  throw new ExecgoError('conflict', `task ${taskId} ${isWaiting ? 'waits' : 'is being started'}: ${only}`);
}

/** @throws ExecgoError `conflict` */
function refuseEnding({ stop, ending, record }: LiveTask): void {
  if (stop === undefined && ending === undefined) return;
  throw new ExecgoError('conflict', `task ${record.task_id} is being ended: it cannot be paused`);
}

/**
 * Tells the executor what is committed, which may be the opposite by now, and waits until what was wanted is done.
 * @throws ExecgoError `conflict` when it is told that it cannot be
 */
async function tell(
  core: PausingCore,
  task: LiveTask,
  launchId: number,
  to: Turn['to'],
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { turn: before } = task;
  tellTurn(core, task, launchId);
  if (core.executor.canPause(launchId) !== true || !core.executor.hears(launchId)) return;
  const { task_id } = task.record;
  const isAwaited = () =>
    core.live.get(task_id) === task && isPaused(task, launchId) === (to === 'paused') && task.turn?.to !== to;
  await waitAtMost(waitMs, signal, async (either) => {
    while (isAwaited())
      await Promise.race([
        core.announcer.taskTurn(task_id, either),
        core.announcer.attemptEnd(task_id, either),
      ]);
  });
  const { turn } = task;
  if (to === 'paused' && turn !== before && turn?.reason !== undefined && !isPaused(task, launchId))
    throw new ExecgoError('conflict', `task ${task_id} could not be paused, and runs on: ${turn.reason}`);
}
