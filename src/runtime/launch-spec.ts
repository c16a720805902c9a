import { sandboxLaunch } from '../sandbox/launch-sandbox.js';
import type { LaunchSpec } from '../supervisor/protocol.js';
import type { TaskRecord } from '../store/records.js';
import type { RuntimeSettings } from './core.js';
import { tailPath } from './task-files.js';

/** The name under which a launch's cgroup directories are found again. */
export function launchName(incarnation: string, launchId: number): string {
  return `${incarnation}-${launchId}`;
}

/** The supervisor that made the cgroup directories of this name. */
export function incarnationOf(name: string): string {
  return name.slice(0, name.lastIndexOf('-'));
}

/**
 * Everything the supervisor needs to run `task` once.
 * @param task dispatched: it has a launch id, a token and an incarnation
 */
export function launchSpec(task: TaskRecord, settings: RuntimeSettings): LaunchSpec {
  const { request, launch_id, launch_token, incarnation, plan } = task;
  if (launch_id === null || launch_token === null || incarnation === null || plan === null)
    throw new Error(`task ${task.task_id} has not been dispatched`);
  const { limits } = request;
  const env = {
    ...settings.baseEnv,
    ...request.execution.env,
    EXECGO_TASK_ID: task.task_id,
    EXECGO_LAUNCH: launch_token,
  };
  return {
    argv: argv(task),
    ...sandboxLaunch(plan, request, settings.capabilities, settings.cgroupLayout, {
      name: launchName(incarnation, launch_id),
      workspace: task.workspace_dir,
      env,
    }),
    cwd: request.execution.cwd ?? task.workspace_dir,
    // A request that an earlier version accepted does not say what is to be kept.
    stdout: stream(task.stdout_path, limits.stdout_keep_bytes ?? limits.stdout_max_bytes),
    stderr: stream(task.stderr_path, limits.stderr_keep_bytes ?? limits.stderr_max_bytes),
    wall_time_ms: plan.resource_enforcement.wall_time_ms,
    grace_ms: settings.terminationGraceMs,
  };
}

function stream(path: string, maxBytes: number) {
  return { path, max_bytes: maxBytes, tail_path: tailPath(path) };
}

function argv(task: TaskRecord): LaunchSpec['argv'] {
  const { execution } = task.request;
  if (execution.kind === 'command') return [execution.program ?? '', ...execution.args];
  const [interpreter, ...rest] = execution.interpreter ?? [];
  if (interpreter !== undefined) return [interpreter, ...rest, task.script_path ?? ''];
  return ['/bin/sh', '-c', execution.script ?? ''];
}
