import { ExecgoError } from '../../task/errors.js';
import type { HostCapabilities } from '../../task/capabilities.js';
import type { ExecutionPlan, SandboxView } from '../../task/plan.js';
import type { TaskRequest } from '../../task/request.js';
import { cgroupSpec, type CgroupLayout, type CgroupLimits } from '../cgroup/cgroup-layout.js';
import type { CgroupSpec, ChainSpec } from '../launch.js';
import { CGROUP_LIMITS, CHAIN_LIMITS, type ChainLimit } from '../limits/limits.js';
import { chainMechanism, isCgroup } from '../plan-limits.js';
import { bubblewrapWrappers, PID_NAMESPACE_PROCESSES, unshareWrappers } from '../namespaces/namespaces.js';
import { lstatSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { needShell } from './carriers.js';
import { chainLimits } from './chain-limits.js';
import { checkedRootfs, hasExecutable } from '../namespaces/rootfs.js';
import { requireTool, SHELL } from '../process/tools.js';
import {
  chrootArguments,
  findUser,
  setprivArguments,
  userEnvironment,
  type TaskUser,
} from '../process/user.js';
import { messageOf } from '../../files/errno.js';

export interface LaunchOptions {
  /** Name of the cgroup directories: new for each attempt. */
  name: string;
  /** The directories given with `--allow-rootfs`, absolute. */
  allowRootfs: readonly string[];
  /** The task's whole environment. */
  env: Record<string, string>;
}

/** The sandbox part of a launch message. A task that asks for nothing special has a tracking cgroup only, and no chain. */
export interface SandboxLaunch {
  cgroup?: CgroupSpec | undefined;
  chain?: ChainSpec | undefined;
  /** The program's whole environment: as given, with the changes for a user of its own. */
  env: Record<string, string>;
}

/**
 * Turns a plan into instructions for the supervisor.
 * @throws ExecgoError `sandbox_setup_failed` when a tool or user that the plan needs has gone since
 */
export function sandboxLaunch(
  plan: ExecutionPlan,
  request: TaskRequest,
  caps: HostCapabilities,
  layout: CgroupLayout,
  options: LaunchOptions,
): SandboxLaunch {
  const cgroupLimits = limitsByCgroup(plan);
  const held = limitsByChain(plan);
  const weights = held.flatMap(({ limit, holder, value }) =>
    holder.by === 'command' ? [[limit.name, value]] : [],
  );
  try {
    const { chain, env } = buildChain(plan, held, request, caps, options);
    // Limits hold, and use is measured, from the first instruction only if the process joins its cgroup before it executes
    // the program.
    const plain = isPlain(chain) && Object.keys(cgroupLimits).length === 0;
    const cgroup = cgroupSpec(layout, options.name, {
      ...cgroupLimits,
      ...(Object.fromEntries(weights) as CgroupLimits),
      peak: !plain,
    });
    const missing = CGROUP_LIMITS.find(
      ({ limit, holder }) =>
        cgroupLimits[limit.name] !== undefined && layout[holder.controller] === undefined,
    );
    if (missing !== undefined)
      throw new Error(
        `there is no ${missing.holder.controller} cgroup any more to hold ${missing.limit.name}`,
      );
    return { ...(cgroup === undefined ? {} : { cgroup }), ...(plain ? {} : { chain }), env };
  } catch (error) {
    throw new ExecgoError('sandbox_setup_failed', messageOf(error));
  }
}

function limitsByCgroup({
  effective_sandbox: sandbox,
  resource_enforcement: told,
}: ExecutionPlan): CgroupLimits {
  const helpers =
    sandbox.mechanism === 'unshare' && sandbox.namespaces?.pid === true ? PID_NAMESPACE_PROCESSES : 0;
  const limits: CgroupLimits = {};
  for (const { limit, holder } of CGROUP_LIMITS) {
    const mechanism = told[`${limit.plan}_mechanism`];
    const value = told[limit.name];
    if (value === undefined || !isCgroup(mechanism)) continue;
    limits[limit.name] = holder.countsProcesses === true ? value + helpers : value;
  }
  return limits;
}

type HeldByChain = ChainLimit & { value: number };

/** What the chain is to hold. Where two holders of a limit have one mechanism, they set the same. */
function limitsByChain({ resource_enforcement: told }: ExecutionPlan): HeldByChain[] {
  const held = new Map<string, HeldByChain>();
  for (const { limit, holder } of CHAIN_LIMITS) {
    const value = told[limit.name];
    if (value !== undefined && told[`${limit.plan}_mechanism`] === chainMechanism(holder))
      held.set(limit.name, { limit, holder, value });
  }
  return [...held.values()];
}

function isPlain(chain: ChainSpec): boolean {
  return (
    chain.wrappers.length === 0 && Object.values(chain).every((v) => v === undefined || v === chain.wrappers)
  );
}

function buildChain(
  plan: ExecutionPlan,
  held: HeldByChain[],
  request: TaskRequest,
  caps: HostCapabilities,
  options: LaunchOptions,
): { chain: ChainSpec; env: Record<string, string> } {
  const { effective_sandbox: sandbox } = plan;
  const { rlimits, wrappers } = chainLimits(held);
  const user = sandbox.user === undefined ? undefined : requireUser(sandbox.user);
  const root = sandbox.chroot ? checkedRootfs(sandbox.rootfs ?? '', options.allowRootfs) : undefined;
  const env = user === undefined ? options.env : userEnvironment(options.env, request.execution.env, user);
  const chain: ChainSpec = {
    rlimits,
    wrappers: [...wrappers, ...namespaceWrappers(sandbox, caps, root)],
    forks: forks(sandbox) ? true : undefined,
    ...(user === undefined ? {} : becoming(user, root, sandbox)),
    ...(root === undefined ? {} : { chroot: chrootCommand(root, user) }),
  };
  if (root === undefined || hasExecutable(root, SHELL)) return { chain, env };
  return { chain: { ...chain, shell: false }, env: withoutShell(root, env, request, user) };
}

function becoming(user: TaskUser, root: string | undefined, { workspace_subdir: subdir }: SandboxView) {
  const setpriv = requireTool('setpriv');
  const output_owner = { uid: user.uid, gid: user.gid };
  if (root !== undefined) return { become: [setpriv, '--no-new-privs'], output_owner };
  return {
    become: [setpriv, ...setprivArguments(user)],
    output_owner,
    ...(subdir === undefined ? {} : { make_cwd: requireTool('mkdir') }),
  };
}

function chrootCommand(root: string, user: TaskUser | undefined): string[] {
  return [requireTool('chroot'), ...(user === undefined ? [] : chrootArguments(user)), '--', root];
}

/**
 * The variables that can be set when `root` has no shell, which are fewer for a task with a user of its own.
 * @throws Error for people when the request asks for others
 */
function withoutShell(
  root: string,
  env: Record<string, string>,
  { execution }: TaskRequest,
  user: TaskUser | undefined,
): Record<string, string> {
  const lacks = `rootfs ${root} has no ${SHELL}`;
  if (execution.cwd !== undefined && normalize(execution.cwd) !== '/')
    throw new Error(`${lacks}, which would enter ${execution.cwd}`);
  if (user === undefined) return env;
  const unset = needShell(env);
  const asked = unset.filter((name) => Object.hasOwn(execution.env, name));
  if (asked.length > 0) throw new Error(`${lacks}, which would set ${asked.join(', ')} as user ${user.name}`);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !unset.includes(name)));
}

function namespaceWrappers(
  { mechanism, namespaces }: SandboxView,
  caps: HostCapabilities,
  root: string | undefined,
): string[][] {
  if (mechanism === undefined || namespaces === undefined) return [];
  if (caps.bubblewrap) return bubblewrapWrappers(namespaces);
  const proc = root === undefined ? undefined : join(root, 'proc');
  // A root file system without the directory gets no /proc.
  return unshareWrappers(namespaces, {
    proc: proc !== undefined && isDirectory(proc) ? proc : undefined,
    passesKill: caps.unshare_passes_kill,
  });
}

/** True for tools that fork the program and wait for it: bubblewrap, and unshare for a pid namespace. */
function forks({ mechanism, namespaces }: SandboxView): boolean {
  return mechanism === 'bubblewrap' || (mechanism === 'unshare' && namespaces?.pid === true);
}

/** False for a symbolic link, which would lead somewhere else inside the new root. */
function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function requireUser(name: string): TaskUser {
  const user = findUser(name);
  if (user === undefined) throw new Error(`user ${name} does not exist`);
  return user;
}
