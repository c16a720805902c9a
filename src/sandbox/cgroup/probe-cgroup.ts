import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { cgroupPids, createCgroup, enterCgroup, removeCgroup } from './cgroup.js';
import { cgroupSpec, removeLayout, type CgroupLayout, type CgroupLimits } from './cgroup-layout.js';
import { CGROUP_CAPABILITIES, CGROUP_LIMITS } from '../limits/limits.js';
import { findCgroups } from './find-cgroups.js';
import { freeze, thaw } from './freezer.js';
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

/** How often it is looked whether a process has stopped, for half a second in all. */
const FREEZE_TRIES = 100;
const FREEZE_AGAIN_MS = 5;

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
  const found = findCgroups(cgroupRoot, share, reasons);
  if (found.track === undefined) return none(reasons.cgroup ?? 'no cgroup file system');
  let layout = found;
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
  const tried = await tryProcess(layout, probe);
  if ('failure' in tried) {
    removeLayout(layout);
    return none(tried.failure);
  }
  if (!tried.freezes) {
    const { path, kill_file } = found.track;
    layout = { ...layout, track: { path, kill_file } };
    reasons.cgroup_freezer = `no freezer works in ${path}`;
  }
  const oom = layout.memory !== undefined && hasOomCount(layout, `${probe}-oom`);
  if (!oom) reasons.oom_detection = reasons.memory_limit ?? 'the kernel does not count out-of-memory kills';
  return { layout, oom_detection: oom, reasons };
}

/** @returns the probe result of a host without usable cgroups, with the same reason for everything. */
export function none(reason: string): CgroupProbe {
  const parts = ['cgroup', 'cgroup_tracking', 'cgroup_freezer', ...CGROUP_CAPABILITIES, 'oom_detection'];
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

/** Moves a process into all directories, checks that it is really there, and whether it can be frozen. */
async function tryProcess(
  layout: CgroupLayout,
  name: string,
): Promise<{ failure: string } | { freezes: boolean }> {
  const spec = cgroupSpec(layout, name, TRIED_LIMITS);
  if (spec === undefined) return { failure: 'no cgroup directory' };
  const child = spawn(SHELL, ['-c', 'read line'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const ended = once(child, 'close').catch(() => undefined);
  try {
    createCgroup(spec);
    if (child.pid === undefined) return { failure: `${SHELL} cannot be started` };
    await enterCgroup(spec, child.pid);
    for (const dir of [spec.track, ...spec.limits]) {
      if (!cgroupPids({ ...spec, track: dir, limits: [] }).includes(child.pid))
        return { failure: `a process moved into ${dir.path} does not appear in it` };
    }
    return { freezes: await tryFreezer(spec) };
  } catch (error) {
    return { failure: messageOf(error) };
  } finally {
    child.stdin.end();
    await ended;
    removeCgroup(spec);
  }
}

/** True when what is in the cgroup stops in time. It runs again in any case. */
async function tryFreezer(spec: CgroupSpec): Promise<boolean> {
  let isFrozen = freeze(spec);
  for (let tries = 1; isFrozen === false && tries < FREEZE_TRIES; tries++) {
    await delay(FREEZE_AGAIN_MS);
    isFrozen = freeze(spec);
  }
  if (spec.freezer !== undefined) thaw(spec.track.path, spec.freezer);
  return isFrozen === true;
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
