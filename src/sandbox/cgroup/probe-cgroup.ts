import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { cgroupPids, createCgroup, enterCgroup, removeCgroup } from './cgroup.js';
import { cgroupSpec, removeLayout, type CgroupLayout, type CgroupLimits } from './cgroup-layout.js';
import { CGROUP_CAPABILITIES, CGROUP_LIMITS } from '../limits/limits.js';
import { findCgroups } from './find-cgroups.js';
import type { CgroupSpec } from '../launch.js';
import { SHELL } from '../process/tools.js';
import { messageOf } from '../../files/errno.js';

/** What works with cgroups; a reason for each thing that does not. */
export interface CgroupProbe {
  layout: CgroupLayout;
  oom_detection: boolean;
  reasons: Record<string, string>;
}

/** Values that any host can set, to try whether the files exist and accept them. */
const TRIED_LIMITS: CgroupLimits = Object.fromEntries(
  CGROUP_LIMITS.map(({ limit, holder }) => [limit.name, holder.tried]),
);

/**
 * Finds out where this daemon can use cgroups, by making some. Each data directory gets its own directory below the root, so
 * that daemons with the same root do not kill each other's attempts.
 *
 * A root on a cgroup file system is used as it is. On a host with both versions the default root is on the tmpfs above their
 * mounts, and its last component is used in each of them. If a v2 root cannot be written to, the daemon's own cgroup is used
 * instead, which is the one that systemd delegates to a service.
 */
export async function probeCgroups(cgroupRoot: string, dataDir: string): Promise<CgroupProbe> {
  const reasons: Record<string, string> = {};
  const share = createHash('sha256').update(resolved(dataDir)).digest('hex').slice(0, 12);
  let layout = findCgroups(cgroupRoot, share, reasons);
  if (layout.track === undefined) return none(reasons.cgroup ?? 'no cgroup file system');
  const probe = `probe-${process.pid}`;
  for (const { limit, holder } of CGROUP_LIMITS) {
    const { controller, capability, tried } = holder;
    if (layout[controller] === undefined) {
      reasons[capability] ??= `no ${controller} controller`;
      continue;
    }
    const failure = tryLimits(layout, `${probe}-${limit.plan}`, { [limit.name]: tried });
    if (failure === undefined) continue;
    reasons[capability] ??= failure;
    layout = { ...layout, [controller]: undefined };
  }
  const failure = await tryProcess(layout, probe);
  if (failure !== undefined) {
    removeLayout(layout);
    return none(failure);
  }
  const oom = layout.memory !== undefined && hasOomCount(layout, `${probe}-oom`);
  if (!oom) reasons.oom_detection = reasons.memory_limit ?? 'the kernel does not count out-of-memory kills';
  return { layout, oom_detection: oom, reasons };
}

/** @returns the probe result of a host without usable cgroups, with the same reason for everything. */
export function none(reason: string): CgroupProbe {
  const parts = ['cgroup', 'cgroup_tracking', ...CGROUP_CAPABILITIES, 'oom_detection'];
  return {
    layout: { kind: 'none' },
    oom_detection: false,
    reasons: Object.fromEntries(parts.map((part) => [part, reason])),
  };
}

function tryLimits(layout: CgroupLayout, name: string, limits: CgroupLimits): string | undefined {
  let spec: CgroupSpec | undefined;
  try {
    spec = cgroupSpec(layout, name, limits);
    if (spec !== undefined) createCgroup(spec);
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    if (spec !== undefined) removeCgroup(spec);
  }
}

/** Moves a process into all directories and checks that it is really there. */
async function tryProcess(layout: CgroupLayout, name: string): Promise<string | undefined> {
  const spec = cgroupSpec(layout, name, TRIED_LIMITS);
  if (spec === undefined) return 'no cgroup directory';
  const child = spawn(SHELL, ['-c', 'read line'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const ended = once(child, 'close').catch(() => undefined);
  try {
    createCgroup(spec);
    if (child.pid === undefined) return `${SHELL} cannot be started`;
    await enterCgroup(spec, child.pid);
    for (const dir of [spec.track, ...spec.limits]) {
      if (!cgroupPids({ ...spec, track: dir, limits: [] }).includes(child.pid))
        return `a process moved into ${dir.path} does not appear in it`;
    }
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    child.stdin.end();
    await ended;
    removeCgroup(spec);
  }
}

function hasOomCount(layout: CgroupLayout, name: string): boolean {
  const spec = cgroupSpec(layout, name, { memory_bytes: TRIED_LIMITS.memory_bytes });
  if (spec?.oom_file === undefined) return false;
  try {
    createCgroup(spec);
    return /^oom_kill \d+$/m.test(readFileSync(spec.oom_file, 'utf8'));
  } catch {
    return false;
  } finally {
    removeCgroup(spec);
  }
}

/** The data directory may not exist yet. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
