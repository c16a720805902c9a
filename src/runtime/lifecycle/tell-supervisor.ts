import { MAX_LINE_BYTES } from '../../supervisor/wire/line-channel.js';
import { parseDaemonMessage } from '../../supervisor/wire/messages.js';
import { launchVersion, type DaemonMessage } from '../../supervisor/wire/protocol.js';
import type { Classification } from './classify.js';
import { completeWithout } from './complete.js';
import type { Core } from '../core.js';
import { launchSpec } from './launch-spec.js';
import type { LiveTask } from '../live-tasks.js';

/**
 * Tells the task's supervisor to run it; when that is not connected, the next connect does. What it needs for that, which
 * may be megabytes, is put together once the supervisor has read what it was told before.
 */
export function tellLaunch(core: Core, task: LiveTask): void {
  const { launch_id, incarnation } = task.record;
  if (launch_id === null || incarnation === null) return;
  core.supervisors.sendLater(incarnation, {
    topic: launch_id,
    encode: () =>
      task.ending === undefined && task.record.launch_id === launch_id ? encodeLaunch(core, task) : undefined,
  });
}

/** @returns undefined where no supervisor can be told: the task is ended then, which would have its launch sent for ever */
function encodeLaunch(core: Core, task: LiveTask): string | undefined {
  const { launch_id, launch_token, task_id } = task.record;
  if (launch_id === null || launch_token === null) return undefined;
  const version = launchVersion();
  let message: DaemonMessage;
  try {
    const spec = launchSpec(task.record, core.settings);
    message = { type: 'launch', version, launch_id, task_id, token: launch_token, spec };
  } catch (error) {
    void completeWithout(core, task, sandboxFailure(error));
    return undefined;
  }
  if (parseDaemonMessage(message, version) === undefined) {
    void completeWithout(core, task, launchFailure('its request holds what no supervisor understands'));
    return undefined;
  }
  const text = JSON.stringify(message);
  if (Buffer.byteLength(text) > MAX_LINE_BYTES) {
    void completeWithout(core, task, launchFailure(`its request takes more than ${MAX_LINE_BYTES} bytes`));
    return undefined;
  }
  return `${text}\n`;
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

function launchFailure(why: string): Classification {
  const message = `cannot launch the task: ${why}`;
  return { status: 'failed', cause: 'launch', error: { code: 'launch_failed', message } };
}
