import { scriptFromFile, scriptFromVariable } from '../../sandbox/chain/inline-script.js';
import { sandboxLaunch } from '../../sandbox/chain/launch-sandbox.js';
import type { LaunchSpec } from '../../supervisor/wire/protocol.js';
import type { Execution } from '../../task/request.js';
import type { HostCapabilities } from '../../task/capabilities.js';
import { keptBytes } from '../../task/kept-bytes.js';
import type { CgroupLayout } from '../../sandbox/cgroup/cgroup-layout.js';
import { taskToken } from '../attempt-token.js';
import type { Attempt } from '../executor.js';
import type { NamedResources } from '../../task/named-resource.js';
import { resourceVariables } from './resource-variables.js';
import { tailName, taskPaths, workspaceNames, type TaskPaths } from '../../task/task-paths.js';

/** Settings for launching attempts on this machine. Paths are absolute. */
export interface LaunchSettings {
  dataDir: string;
  /** From TERM to KILL, in milliseconds. */
  terminationGraceMs: number;
  /** How many bytes of a stream are kept from its start, when the request does not say and its view is not larger. */
  outputKeepBytes: number;
  /** Directories in or below which a task's root file system may be. */
  allowRootfs: readonly string[];
  /** `PATH HOME LANG TMPDIR USER` of the daemon: the only part of its environment that a task sees. */
  baseEnv: Readonly<Record<string, string>>;
  capabilities: HostCapabilities;
  cgroupLayout: CgroupLayout;
  /** What the operator has named. */
  resources: NamedResources;
  /** Where tasks reach the daemon; undefined: nowhere. */
  taskSocket?: string | undefined;
}

/** The name of an attempt's cgroup directories, by which they are found again. */
export function attemptName(incarnation: string, launchId: number): string {
  return `${incarnation}-${launchId}`;
}

/** The supervisor that made the cgroup directories with this name. */
export function incarnationOf(name: string): string {
  return name.slice(0, name.lastIndexOf('-'));
}

/**
 * The part of a launch message that says how to run an attempt.
 * @throws Error for people when something that the plan needs has gone
 */
export function launchSpec(attempt: Attempt, settings: LaunchSettings): LaunchSpec {
  const { task_id, number, request, launch_id, launch_token, incarnation, plan } = attempt;
  if (plan === null) throw new Error('the task has no plan');
  const { limits } = request;
  const paths = taskPaths(settings.dataDir, task_id, request, number);
  const variables: Record<string, string> = {
    ...settings.baseEnv,
    ...request.execution.env,
    ...resourceVariables(settings.resources, limits.resources, attempt.items),
    EXECGO_TASK_ID: task_id,
    EXECGO_ATTEMPT: String(number),
    EXECGO_LAUNCH: launch_token,
  };
  const { chroot } = plan.effective_sandbox;
  if (settings.taskSocket !== undefined && !chroot) {
    variables['EXECGO_TASK_SOCKET'] = settings.taskSocket;
    variables['EXECGO_TASK_TOKEN'] = taskToken(attempt);
  }
  const { argv, env } = program(request.execution, paths.script_path, variables, chroot);
  return {
    argv,
    ...sandboxLaunch(plan, request, settings.capabilities, settings.cgroupLayout, {
      name: attemptName(incarnation, launch_id),
      allowRootfs: settings.allowRootfs,
      env,
    }),
    cwd: request.execution.cwd ?? (chroot ? '/' : paths.workspace_dir),
    stdout: stream(paths, number, 'stdout', keptBytes(limits, 'stdout', settings.outputKeepBytes)),
    stderr: stream(paths, number, 'stderr', keptBytes(limits, 'stderr', settings.outputKeepBytes)),
    wall_time_ms: plan.resource_enforcement.wall_time_ms,
    grace_ms: settings.terminationGraceMs,
    disk:
      limits.disk_bytes === undefined
        ? undefined
        : diskSpec(settings.dataDir, workspaceNames(task_id, request), limits.disk_bytes),
  };
}

function diskSpec(dataDir: string, [room, ...names]: [string, ...string[]], max_bytes: number) {
  return { dir: `${dataDir}/${room}`, names, max_bytes };
}

function stream(paths: TaskPaths, attempt: number, name: 'stdout' | 'stderr', maxBytes: number) {
  return {
    path: paths[`${name}_path`],
    max_bytes: maxBytes,
    tail_path: `${paths.task_dir}/${tailName(name, attempt)}`,
  };
}

/**
 * The program to execute. In a chroot, where the task's files cannot be seen, an inline script is passed in one more
 * variable.
 */
function program(
  execution: Execution,
  script: string | undefined,
  env: Record<string, string>,
  chroot: boolean,
): Pick<LaunchSpec, 'argv' | 'env'> {
  if (execution.kind === 'command') return { argv: [execution.program ?? '', ...execution.args], env };
  const [interpreter, ...rest] = execution.interpreter ?? [];
  if (interpreter !== undefined) return { argv: [interpreter, ...rest, script ?? ''], env };
  return chroot
    ? scriptFromVariable(execution.script ?? '', env)
    : { argv: scriptFromFile(script ?? ''), env };
}
