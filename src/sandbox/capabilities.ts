import { accessSync, constants } from 'node:fs';
import type { HostCapabilities } from '../task/capabilities.js';
import type { CgroupLayout } from './cgroup/cgroup-layout.js';
import {
  CGROUP_CAPABILITIES,
  CGROUP_LIMITS,
  CHAIN_CAPABILITIES,
  type LimitCapability,
} from './limits/limits.js';
import { chainBroken, probeChain, type ChainProbe } from './chain/probe-chain.js';
import { NAMESPACE_KINDS, NO_NAMESPACES } from './namespaces/namespaces.js';
import { readPlatform } from './platform.js';
import { none, probeCgroups, type CgroupProbe } from './cgroup/probe-cgroup.js';
import { probeSandbox, type SandboxProbe } from './namespaces/probe-namespaces.js';
import { messageOf } from '../files/errno.js';

export interface ProbeOptions {
  dataDir: string;
  /** The cgroup directory to use, e.g. /sys/fs/cgroup/execgo-runtime. */
  cgroupRoot: string;
  disableCgroup: boolean;
  disableLinuxSandbox: boolean;
  launcher: HostCapabilities['launcher'];
  /** Name or number of the user given with `--task-user`. */
  taskUser?: string | undefined;
  /** Unix time in milliseconds. */
  now: () => number;
}

export interface ProbedHost {
  capabilities: HostCapabilities;
  layout: CgroupLayout;
}

/**
 * Finds out by trying what this host can do. Takes some tens of milliseconds; of what it makes, only the layout's own
 * directories stay. Never throws: `capabilities.reasons` says why something does not work.
 */
export async function probeCapabilities(options: ProbeOptions): Promise<ProbedHost> {
  const platform = readPlatform();
  const linux = platform.os === 'linux';
  const notLinux = linux ? undefined : 'needs Linux';
  const chain = notLinux === undefined ? probeChain() : chainBroken(notLinux);
  const [cgroup, sandbox] = await Promise.all([
    probeCgroupsUnless(
      notLinux ?? (options.disableCgroup ? 'disabled by --disable-cgroup' : undefined),
      options,
    ),
    probeSandboxUnless(
      chain.broken,
      options.disableLinuxSandbox ? 'disabled by --disable-linux-sandbox' : undefined,
      options,
    ),
  ]);
  // Limits need the launch chain, which joins their cgroups and sets them; tracking does not.
  const limits = chain.broken === undefined ? cgroup : withoutLimits(cgroup, chain.broken);
  const dataDir = whyNotWritable(options.dataDir);
  const reasons: HostCapabilities['reasons'] = {
    ...limits.reasons,
    ...sandbox.reasons,
    ...chain.reasons,
    ...(dataDir === undefined ? {} : { data_dir_writable: dataDir }),
  };
  const { layout } = limits;
  const linuxSandbox = sandbox.chroot || NAMESPACE_KINDS.some((kind) => sandbox.namespaces[kind]);
  if (!linuxSandbox)
    reasons.linux_sandbox =
      sandbox.reasons.linux_sandbox ?? `neither namespaces nor chroot: ${reasons.namespace_mount}`;
  const capabilities: HostCapabilities = {
    collected_at_ms: options.now(),
    platform,
    launcher: options.launcher,
    linux_sandbox: linuxSandbox,
    chroot: sandbox.chroot,
    namespaces: sandbox.namespaces,
    bubblewrap: sandbox.bubblewrap,
    unshare_passes_kill: sandbox.unshare_passes_kill,
    data_dir_writable: dataDir === undefined,
    ...holding(layout, chain.reasons),
    cgroup: layout.kind,
    cgroup_v2: layout.kind === 'v2' || layout.kind === 'hybrid',
    cgroup_writable: layout.kind !== 'none',
    oom_detection: limits.oom_detection,
    cgroup_tracking: layout.track !== undefined,
    cgroup_freezer: layout.track?.freezer !== undefined,
    switch_user: sandbox.switch_user,
    reasons,
    warnings: [],
  };
  return { capabilities: { ...capabilities, warnings: warningsOf(capabilities, options.taskUser) }, layout };
}

function probeCgroupsUnless(reason: string | undefined, options: ProbeOptions): Promise<CgroupProbe> {
  return reason === undefined
    ? probeCgroups(options.cgroupRoot, options.dataDir)
    : Promise.resolve(none(reason));
}

/** With the sandbox disabled, switching users is still tried: the operator asks for that, not a request. */
async function probeSandboxUnless(
  broken: string | undefined,
  disabled: string | undefined,
  { taskUser, dataDir }: ProbeOptions,
): Promise<SandboxProbe> {
  const failed = (reason: string, parts: string[]) => Object.fromEntries(parts.map((part) => [part, reason]));
  const parts = [
    'linux_sandbox',
    'chroot',
    'bubblewrap',
    ...NAMESPACE_KINDS.map((kind) => `namespace_${kind}`),
  ];
  const nothing = {
    namespaces: { ...NO_NAMESPACES },
    bubblewrap: false,
    unshare_passes_kill: false,
    chroot: false,
  };
  if (broken !== undefined)
    return { ...nothing, switch_user: false, reasons: failed(broken, [...parts, 'switch_user']) };
  const probe = await probeSandbox(process.getuid?.() === 0, taskUser, dataDir);
  if (disabled === undefined) return probe;
  return { ...probe, ...nothing, reasons: { ...probe.reasons, ...failed(disabled, parts) } };
}

function withoutLimits(probe: CgroupProbe, reason: string): CgroupProbe {
  const { kind, track } = probe.layout;
  const lost = { ...each(CGROUP_CAPABILITIES, reason), oom_detection: reason };
  return { layout: { kind, track }, oom_detection: false, reasons: { ...lost, ...probe.reasons } };
}

/** Which limits something can hold here. @param lacking of the launch chain, with the reasons */
function holding(layout: CgroupLayout, lacking: ChainProbe['reasons']): Record<LimitCapability, boolean> {
  const byChain = CHAIN_CAPABILITIES.map((name): [string, boolean] => [name, lacking[name] === undefined]);
  const byCgroup = CGROUP_LIMITS.map(({ holder }): [string, boolean] => [
    holder.capability,
    layout[holder.controller] !== undefined,
  ]);
  return Object.fromEntries([...byChain, ...byCgroup]) as Record<LimitCapability, boolean>;
}

function each(capabilities: readonly string[], reason: string): Record<string, string> {
  return Object.fromEntries(capabilities.map((name) => [name, reason]));
}

function warningsOf(caps: HostCapabilities, taskUser: string | undefined): string[] {
  const because = (capability: string) => caps.reasons[capability] ?? 'unknown reason';
  return [
    ...(taskUser === undefined || caps.switch_user
      ? []
      : [`every task is refused, because none can run as user ${taskUser}: ${because('switch_user')}`]),
    ...(caps.launcher === 'libc'
      ? []
      : ['processes are started through execa, which is slower and reports no rusage']),
    ...(caps.cgroup_tracking
      ? []
      : [`no cgroup tracks the processes of a task: ${because('cgroup_tracking')}`]),
    ...(caps.linux_sandbox ? [] : [`linux_sandbox is not available: ${because('linux_sandbox')}`]),
    ...(caps.memory_limit ? [] : [`no cgroup memory limit: ${because('memory_limit')}`]),
    ...(caps.pids_limit ? [] : [`no cgroup pids limit: ${because('pids_limit')}`]),
    ...(caps.data_dir_writable
      ? []
      : [`the data directory is not writable: ${because('data_dir_writable')}`]),
  ];
}

function whyNotWritable(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
