import type { NewEvent } from '../../task/events.js';
import { validateProgress, type KeptProgress, type ProgressAnswer } from '../../task/progress.js';
import { crashPoint } from '../../executor/crash-point.js';
import type { Core } from '../core.js';
import { progressEvent } from '../lifecycle/progress-event.js';
import type { LiveTask, SaidProgress } from '../live-tasks.js';
import type { Caller } from '../task-side.js';
import { liveCaller } from './caller.js';

/** What is told of progress works with. */
export type ProgressCore = Pick<Core, 'store' | 'live' | 'announcer' | 'now' | 'log'>;

/** How often the progress of a task is written, at most, in milliseconds. */
const EACH_MS = 1_000;
/** An event of it comes at most once in this part of the time that its attempt runs: so that a history does not grow as that does. */
const EVENTS_SHARE = 0.01;

/**
 * Takes what a task says of how far it is. The first is written at once, and what comes within a second of that after it: of several the
 * newest, and none later than the end of the attempt.
 * @throws ExecgoError `invalid_input`; `gone` when the attempt has ended
 */
export async function reportProgress(
  core: ProgressCore,
  caller: Caller,
  body: unknown,
): Promise<ProgressAnswer> {
  const latest: KeptProgress = { ...validateProgress(body), at_ms: core.now() };
  const task = liveCaller(core, caller);
  const now = performance.now();
  const { task_id, launch_id } = caller;
  const said: SaidProgress = (task.progress ??= {
    ...{ latest, isWritten: false, timer: undefined },
    ...{ firstAt: now, writtenAt: -Infinity, toldAt: -Infinity },
  });
  said.latest = latest;
  said.isWritten = false;
  const waitMs = said.writtenAt + EACH_MS - now;
  if (waitMs > 0) {
    said.timer ??= setTimeout(() => {
      writeProgress(core, task, launch_id).catch((err: unknown) => {
        core.log.warn({ err, task_id }, 'the progress of a task cannot be written; the next is');
      });
    }, waitMs).unref();
    return { task_id, written: false };
  }
  await writeProgress(core, task, launch_id);
  return { task_id, written: true };
}

/** Writes the newest, unless the end of the attempt has taken it along. */
async function writeProgress(core: ProgressCore, task: LiveTask, launchId: number): Promise<void> {
  const said = task.progress;
  if (said === undefined) return;
  clearTimeout(said.timer);
  said.timer = undefined;
  said.writtenAt = performance.now();
  const { latest } = said;
  const isTold = said.writtenAt - said.toldAt < EVENTS_SHARE * (said.writtenAt - said.firstAt);
  const events: NewEvent[] = isTold ? [] : [progressEvent(latest)];
  const changed = await core.store.commits.write(() => {
    const record = task.isEndWritten ? undefined : task.at(launchId);
    const written = record && core.store.markProgress(record, latest, events);
    crashPoint('before_progress_commit');
    return written;
  });
  if (changed === undefined) return;
  crashPoint('after_progress_commit');
  if (said.latest === latest) said.isWritten = true;
  if (!isTold) said.toldAt = said.writtenAt;
  core.live.update(task, changed.task);
  core.announcer.events(changed.events);
}

/** Writes down what tasks have said and is not written yet. */
export async function writeAllProgress(core: ProgressCore): Promise<void> {
  const writes = [...core.live.all()].flatMap((task) => {
    const { progress, launchId } = task;
    return progress?.isWritten === false && launchId !== null ? [writeProgress(core, task, launchId)] : [];
  });
  await Promise.allSettled(writes);
}
