import { crashPoint, type CrashPoint } from '../../executor/crash-point.js';
import type { Executor } from '../../executor/executor.js';
import type { Changed, RunningTask } from '../../store/records.js';
import type { Core } from '../core.js';
import type { LiveTask, Turn } from '../live-tasks.js';

/** What a turn is written down with. */
export type TurningCore = Pick<Core, 'store' | 'live' | 'announcer' | 'now'>;

/** Writes a pause or its end down, and tells of it. @param write gets the time: Unix time in milliseconds */
export async function commitTurn(
  core: TurningCore,
  task: LiveTask,
  change: 'pause' | 'resume',
  write: (atMs: number) => Changed<RunningTask> | undefined,
): Promise<void> {
  const points = {
    pause: ['before_pause_commit', 'after_pause_commit'],
    resume: ['before_resume_commit', 'after_resume_commit'],
  } as const satisfies Record<string, readonly [CrashPoint, CrashPoint]>;
  const [before, after] = points[change];
  crashPoint(before);
  const changed = await core.store.commits.write(() => write(core.now()));
  crashPoint(after);
  if (changed === undefined) return;
  core.live.update(task, changed.task);
  core.announcer.events(changed.events);
}

/** Whether it is committed that this attempt is paused. */
export function isPaused(task: LiveTask, launchId: number): boolean {
  return task.at(launchId)?.paused_at_ms !== undefined;
}

/** Tells the executor what is committed. */
export function tellTurn(
  { executor }: { executor: Pick<Executor, 'pause' | 'resume'> },
  task: LiveTask,
  launchId: number,
): void {
  if (isPaused(task, launchId)) executor.pause(launchId);
  else executor.resume(launchId);
}

/**
 * Writes down that a place could not pause an attempt, which runs on. A pause that is newer than that stays, and is told again.
 */
export async function recordNotPaused(
  core: TurningCore & { executor: Pick<Executor, 'pause' | 'resume'> },
  task: LiveTask,
  launchId: number,
  { atMs, reason = '' }: Turn,
): Promise<void> {
  await commitTurn(core, task, 'resume', (at) => {
    const record = task.at(launchId);
    if (record?.paused_at_ms === undefined || record.paused_at_ms >= atMs) return undefined;
    const message = `task resumed, since it could not be paused: ${reason}`;
    return core.store.changes.resume(record, at, [{ event_type: 'resumed', timestamp_ms: at, message }]);
  });
  tellTurn(core, task, launchId);
}
