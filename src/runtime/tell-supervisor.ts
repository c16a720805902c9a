import { launchVersion } from '../supervisor/protocol.js';
import type { Classification } from './classify.js';
import { completeWithout } from './complete.js';
import type { Core } from './core.js';
import { launchSpec } from './launch-spec.js';
import type { LiveTask } from './live-tasks.js';

/** Tells the task's supervisor to run it; when that is not connected, the next connect does. */
export function tellLaunch(core: Core, task: LiveTask): void {
  const { launch_id, launch_token, incarnation, task_id } = task.record;
  if (launch_id === null || launch_token === null || incarnation === null) return;
  try {
    const spec = launchSpec(task.record, core.settings);
    core.supervisors.send(incarnation, {
      type: 'launch',
      version: launchVersion(),
      launch_id,
      task_id,
      token: launch_token,
      spec,
    });
  } catch (error) {
    void completeWithout(core, task, sandboxFailure(error));
  }
}

/** Tells the task's supervisor to kill it; when that is not connected, the next connect does. */
export function tellKill(core: Core, { record, kill }: LiveTask): void {
  if (record.launch_id === null || record.incarnation === null) return;
  core.supervisors.send(record.incarnation, { type: 'kill', launch_id: record.launch_id, ...kill });
}

/** A tool or user that the plan counted on has gone since. */
function sandboxFailure(error: unknown): Classification {
  const message = error instanceof Error ? error.message : String(error);
  return { status: 'failed', cause: 'sandbox', error: { code: 'sandbox_setup_failed', message } };
}
