import { ExecgoError } from '../task/errors.js';
import type { HostCapabilities } from '../task/capabilities.js';
import type { ExecutionPlan, Mechanism, SandboxView } from '../task/plan.js';
import type { TaskRequest } from '../task/request.js';
import { cgroupSpec, type CgroupLayout } from './cgroup-layout.js';
import type { CgroupSpec, ChainSpec } from './launch.js';
import { bubblewrapWrappers, PID_NAMESPACE_PROCESSES, unshareWrappers } from './namespaces.js';
import { lstatSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { splitEnvironment, userEnvironment } from './task-environment.js';
import { findTool } from './tools.js';
import { findUser, setprivArguments, type TaskUser } from './user.js';

export interface LaunchOptions {
  /** Of the cgroup directories: new for each launch. */
  name: string;
  /** Absolute; a relative `rootfs` is looked up from it. */
  workspace: string;
  /** The task's whole environment. */
  env: Record<string, string>;
}

/** The limits that cgroups carry, and the controller of each. */
const LIMITS = [
  ['memory_bytes', 'memory'],
  ['pids', 'pids'],
  ['cpu_millis', 'cpu'],
] as const;

/** What goes into the launch message. Without anything special there is a tracking cgroup only, and no chain. */
export interface SandboxLaunch {
  cgroup?: CgroupSpec | undefined;
  chain?: ChainSpec | undefined;
  /** Environment to spawn with: as given, unless the task runs as another user. */
  env: Record<string, string>;
}

/**
 * Turns a plan into what the supervisor carries out.
 * @throws ExecgoError `sandbox_setup_failed` when a tool or user that the plan counted on has gone since
 */
export function sandboxLaunch(
  plan: ExecutionPlan,
  request: TaskRequest,
  caps: HostCapabilities,
  layout: CgroupLayout,
  options: LaunchOptions,
): SandboxLaunch {
  const { effective_sandbox: sandbox, resource_enforcement: limits } = plan;
  const helpers =
    sandbox.mechanism === 'unshare' && sandbox.namespaces?.pid === true ? PID_NAMESPACE_PROCESSES : 0;
  const byCgroup = (mechanism: Mechanism | undefined, value: number | undefined) =>
    mechanism === 'cgroup_v1' || mechanism === 'cgroup_v2' ? value : undefined;
  const pids = byCgroup(limits.pids_mechanism, limits.pids_max);
  const cgroupLimits = {
    memory_bytes: byCgroup(limits.memory_mechanism, limits.memory_bytes),
    pids: pids === undefined ? undefined : pids + helpers,
    cpu_millis: byCgroup(limits.cpu_millis_mechanism, limits.cpu_millis),
  };
  try {
    const { chain, env } = buildChain(plan, request, caps, options);
    // Cgroups hold, and measure, from the first instruction only when the process joins before it becomes the program.
    const plain = isPlain(chain) && Object.values(cgroupLimits).every((limit) => limit === undefined);
    const cgroup = cgroupSpec(layout, options.name, { ...cgroupLimits, peak: !plain });
    const missing = LIMITS.find(
      ([limit, controller]) => cgroupLimits[limit] !== undefined && layout[controller] === undefined,
    );
    if (missing !== undefined)
      throw new Error(`there is no ${missing[1]} cgroup any more to hold ${missing[0]}`);
    return { ...(cgroup === undefined ? {} : { cgroup }), ...(plain ? {} : { chain }), env };
  } catch (error) {
    throw new ExecgoError('sandbox_setup_failed', error instanceof Error ? error.message : String(error));
  }
}

function isPlain(chain: ChainSpec): boolean {
  return (
    chain.wrappers.length === 0 && Object.values(chain).every((v) => v === undefined || v === chain.wrappers)
  );
}

function buildChain(
  plan: ExecutionPlan,
  request: TaskRequest,
  caps: HostCapabilities,
  options: LaunchOptions,
) {
  const { effective_sandbox: sandbox, resource_enforcement: limits } = plan;
  const user = sandbox.user === undefined ? undefined : requiredUser(sandbox.user);
  const split =
    user === undefined
      ? undefined
      : splitEnvironment(userEnvironment(options.env, request.execution.env, user));
  const chroot = sandbox.chroot ? rootDirectory(sandbox.rootfs, options.workspace) : undefined;
  const chain: ChainSpec = {
    cpu_sec: limits.cpu_time_mechanism === 'rlimit' ? limits.cpu_time_sec : undefined,
    address_space_bytes: limits.memory_mechanism === 'rlimit' ? limits.memory_bytes : undefined,
    processes: limits.pids_mechanism === 'rlimit' ? limits.pids_max : undefined,
    wrappers: [
      ...namespaceWrappers(sandbox, caps, chroot),
      ...(user === undefined ? [] : userWrappers(user, split?.late ?? [], chroot !== undefined)),
    ],
    forks: forks(sandbox) ? true : undefined,
    chroot,
    chroot_user: chroot === undefined || user === undefined ? undefined : `${user.uid}:${user.gid}`,
  };
  return { chain, env: split?.early ?? options.env };
}

function namespaceWrappers(
  { mechanism, namespaces }: SandboxView,
  caps: HostCapabilities,
  chroot: string | undefined,
): string[][] {
  if (mechanism === undefined || namespaces === undefined) return [];
  if (caps.bubblewrap) return bubblewrapWrappers(namespaces);
  const proc = chroot === undefined ? undefined : join(chroot, 'proc');
  // A root file system without the directory does without /proc.
  return unshareWrappers(namespaces, proc !== undefined && isDirectory(proc) ? proc : undefined);
}

/** bubblewrap, and unshare for a pid namespace, fork the program and stay to wait for it. */
function forks({ mechanism, namespaces }: SandboxView): boolean {
  return mechanism === 'bubblewrap' || (mechanism === 'unshare' && namespaces?.pid === true);
}

/** Not through a symbolic link, which would lead somewhere else inside the new root. */
function isDirectory(path: string): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch {
    return false;
  }
}

function userWrappers(user: TaskUser, late: string[], chroot: boolean): string[][] {
  const setpriv = requiredTool('setpriv');
  if (!chroot)
    return [
      [setpriv, ...setprivArguments(user)],
      ...(late.length === 0 ? [] : [[requiredTool('env'), ...late]]),
    ];
  if (late.length > 0)
    throw new Error(
      `${late.map((entry) => entry.slice(0, entry.indexOf('='))).join(', ')} cannot be set for a task that changes both root and user`,
    );
  return [[setpriv, '--no-new-privs']];
}

function rootDirectory(rootfs: string | undefined, workspace: string): string {
  if (rootfs === undefined) throw new Error('chroot without rootfs');
  return isAbsolute(rootfs) ? rootfs : resolve(workspace, rootfs);
}

function requiredUser(name: string): TaskUser {
  const user = findUser(name);
  if (user === undefined) throw new Error(`user ${name} does not exist`);
  return user;
}

function requiredTool(name: string): string {
  const path = findTool(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}
