import { ExecgoError } from '../../task/errors.js';
import type { LiveTask, LiveTasks } from '../live-tasks.js';
import type { Caller } from '../task-side.js';

/** The task of a caller, whose attempt may have ended since it was known. @throws ExecgoError `gone` */
export function liveCaller({ live }: { live: LiveTasks }, { task_id, launch_id }: Caller): LiveTask {
  const task = live.byAttempt(launch_id);
  if (task === undefined || task.isEndWritten)
    throw new ExecgoError('gone', `the attempt of task ${task_id} that asks has ended`);
  return task;
}
