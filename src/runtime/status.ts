import type { EndedTask, TaskRecord } from '../store/records.js';
import { taskNotFound } from '../task/errors.js';
import { isTerminal } from '../task/states.js';
import type { Executor } from '../executor/executor.js';
import type { Core } from './core.js';
import type { InlineTexts } from './output/inline-text.js';
import { readOutput } from './output/read-output.js';
import type { EncodedJson } from './service.js';
import { pastAttempts } from './views/attempts-view.js';
import { followUpsView } from './views/follow-ups-view.js';
import { notificationsView } from './views/notifications-view.js';
import { treeBelow } from './views/tree-view.js';
import { encodeTask } from './views/task-view.js';
import { waitingWithPosition, type WaitingCore } from './views/waiting-view.js';

/** Where every task is found. */
type Tasks = Pick<Core, 'live' | 'store'>;
/** What tells how a task is now. */
export type StatusCore = Tasks &
  Pick<Core, 'now'> &
  WaitingCore & { executor: Executor; inlineTexts: InlineTexts };

/**
 * The record of a task, live or from history.
 * @throws ExecgoError `not_found`
 */
export function taskRecord(core: Tasks, taskId: string): TaskRecord {
  const record = core.live.get(taskId)?.record ?? core.store.tasks.get(taskId);
  if (record === undefined) throw taskNotFound(taskId);
  return record;
}

interface StatusHow {
  /** The task, if it has ended just now. */
  ended?: EndedTask | undefined;
  /** With what is below the task. */
  tree?: boolean | undefined;
}

/** The status object, encoded. @throws ExecgoError `not_found` */
export async function taskStatus(
  core: StatusCore,
  taskId: string,
  how: StatusHow = {},
): Promise<EncodedJson> {
  if (how.tree === true) taskRecord(core, taskId);
  const tree = how.tree === true ? await treeBelow(core, taskId) : undefined;
  const record = how.ended ?? taskRecord(core, taskId);
  const before = withStop(core, record);
  const liveUsage = await readUsage(core, before);
  const output = await readOutput(core, before, undefined, isTerminal(before.status));
  return encodeTask(before, output, present(core, before), core.settings.dataDir, {
    liveUsage,
    waiting: waitingWithPosition(core, before),
    past: pastAttempts(core.store, before),
    tree,
    followUps: followUpsView(core.store, before),
    notifications: notificationsView(core.store, before, core.now()),
  });
}

/** A kill that could not be written down yet is carried out all the same, and what is to end is not paused any more. */
function withStop(core: StatusCore, record: TaskRecord): TaskRecord {
  const stop = core.live.get(record.task_id)?.stop;
  if (stop === undefined) return record;
  const { kill } = stop;
  const killed =
    kill === undefined || record.kill_requested_at_ms !== undefined
      ? record
      : { ...record, kill_requested_at_ms: core.now(), kill_note: kill.note };
  return killed.status === 'running' ? { ...killed, paused_at_ms: undefined } : killed;
}

/** The present time by the clock that dated the start, as if that had not been set since, so that a duration grows evenly. */
function present(core: StatusCore, { task_id }: TaskRecord): number {
  const phase = core.live.get(task_id)?.phase;
  if (phase?.name !== 'started' || phase.record.process === undefined) return core.now();
  return Math.round(phase.record.process.started_at_ms + core.live.sinceMs(phase.startedAt));
}

async function readUsage(core: StatusCore, record: TaskRecord) {
  if (record.status !== 'running' || record.process === undefined) return undefined;
  const { attempt, process } = record;
  if (attempt.launch_id === null) return undefined;
  const used = await core.executor.usage(attempt.launch_id, present(core, record) - process.started_at_ms);
  return used && { ...used, duration_ms: 0 };
}
