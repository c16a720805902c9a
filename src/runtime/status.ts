import { cgroupPids } from '../sandbox/cgroup.js';
import { cgroupSpec } from '../sandbox/cgroup-layout.js';
import { descendantsOf } from '../sandbox/process-identity.js';
import type { TaskRecord } from '../store/records.js';
import { taskNotFound } from '../task/errors.js';
import { isTerminal } from '../task/states.js';
import type { Core } from './core.js';
import { launchName } from './launch-spec.js';
import { readOutput } from './read-output.js';
import type { EncodedJson } from './service.js';
import { encodeTask } from './task-view.js';

/**
 * The task as it is, live or from history.
 * @throws ExecgoError `not_found`
 */
export function taskRecord(core: Core, taskId: string): TaskRecord {
  const record = core.live.get(taskId)?.record ?? core.store.task(taskId);
  if (record === undefined) throw taskNotFound(taskId);
  return record;
}

/** The status object, as bytes. */
export async function taskStatus(core: Core, taskId: string): Promise<EncodedJson> {
  const before = taskRecord(core, taskId);
  const liveUsage = await readUsage(core, before);
  const output = await readOutput(core, before, undefined, isTerminal(before.status));
  return encodeTask(before, output, core.now(), { liveUsage });
}

/**
 * Waits until the task is terminal (or deleted), but no longer than `waitMs`.
 * @throws when `signal` aborts
 */
export async function waitForEnd(
  core: Core,
  taskId: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (waitMs === 0 || core.live.get(taskId) === undefined) return;
  const timeout = new AbortController();
  const timer = setTimeout(() => {
    timeout.abort();
  }, waitMs);
  const abort = () => {
    timeout.abort();
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    await core.announcer.taskEnd(taskId, timeout.signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!timeout.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

async function readUsage(core: Core, record: TaskRecord) {
  const { status, pid, incarnation, launch_id, task_id } = record;
  if (status !== 'running' || pid === null || incarnation === null || launch_id === null) return undefined;
  const sample = await core.usage.read(task_id, () => {
    const cgroup = cgroupSpec(core.settings.cgroupLayout, launchName(incarnation, launch_id), {});
    return cgroup === undefined ? [pid, ...descendantsOf(pid)] : cgroupPids(cgroup);
  });
  return { ...sample, duration_ms: 0 };
}
