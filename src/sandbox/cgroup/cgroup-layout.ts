import { rmdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { cgroupPids, killCgroup, removeCgroup, subdirectories } from './cgroup.js';
import { CONTROLLER_NAMES, type Controller, type LimitDirectory } from '../limits/controllers.js';
import { CGROUP_LIMITS, CHAIN_LIMITS, type LimitName } from '../limits/limits.js';
import type { CgroupDir, CgroupSpec, Freezer } from '../launch.js';
import { blockDevices } from './block-devices.js';

/** Where on this host attempts get their cgroup directories. Only what was tried and works is named. */
export interface CgroupLayout extends Partial<Record<Controller, LimitDirectory | undefined>> {
  kind: 'v2' | 'v1' | 'hybrid' | 'none';
  /** Where the processes of attempts are tracked: in the v2 tree if there is one, else where they can be frozen. Absent without cgroups. */
  track?: { path: string; kill_file: boolean; freezer?: Freezer | undefined } | undefined;
}

/** Limits that cgroups carry, or put a weight on, in the units of the request. */
export interface CgroupLimits extends Partial<Record<LimitName, number | undefined>> {
  /** Measure peak memory even without a memory limit, if the kernel can. */
  peak?: boolean | undefined;
}

/**
 * The cgroup of one attempt: a directory for tracking, further ones only for limits that it names.
 * @param name of the directories, e.g. `<incarnation>-<attempt id>`: new for each attempt, so that peaks start at zero
 * @returns undefined where the host has no cgroups for us
 * @throws Error for people when there is a limit on devices and no device
 */
export function cgroupSpec(
  layout: CgroupLayout,
  name: string,
  limits: CgroupLimits,
  devices: () => string[] = blockDevices,
): CgroupSpec | undefined {
  if (layout.track === undefined) return undefined;
  const track: CgroupDir = { path: `${layout.track.path}/${name}`, settings: [] };
  const all = [track];
  const directory = (base: LimitDirectory): CgroupDir => {
    const path = `${base.path}/${name}`;
    const known = all.find((dir) => dir.path === path);
    if (known !== undefined) return known;
    const dir: CgroupDir = { path, settings: [] };
    all.push(dir);
    return dir;
  };
  const { memory } = layout;
  if (memory?.peak === true && limits.peak === true) directory(memory);
  for (const { limit, holder } of CGROUP_LIMITS) {
    const base = layout[holder.controller];
    const value = limits[limit.name];
    if (base !== undefined && value !== undefined)
      directory(base).settings.push(...holder.settings(value, base, devices));
  }
  for (const { limit, holder } of CHAIN_LIMITS) {
    const value = limits[limit.name];
    if (holder.by !== 'command' || holder.beside === undefined || value === undefined) continue;
    const base = layout[holder.beside.controller];
    const dir = all.find(({ path }) => path === `${base?.path ?? ''}/${name}`);
    if (base !== undefined) dir?.settings.push(...holder.beside.settings(value, base));
  }
  return {
    track,
    kill_file: layout.track.kill_file,
    ...(layout.track.freezer === undefined ? {} : { freezer: layout.track.freezer }),
    limits: all.slice(1),
    ...(memory === undefined ? {} : evidenceFiles(memory, name, all)),
    ...(layout.kind === 'v1' ? {} : { cpu_file: `${track.path}/cpu.stat` }),
  };
}

/**
 * Every directory that an attempt of this name may have, whatever its limits: to kill its processes and to remove the
 * directories.
 * @returns undefined when we cannot use cgroups on this host
 */
export function wholeCgroup(layout: CgroupLayout, name: string): CgroupSpec | undefined {
  const { track } = layout;
  if (track === undefined) return undefined;
  const directory = (base: string): CgroupDir => ({ path: `${base}/${name}`, settings: [] });
  const others = layoutDirectories(layout).filter((base) => base !== track.path);
  return { track: directory(track.path), kill_file: track.kill_file, limits: others.map(directory) };
}

/** The memory files of an attempt, if it has a directory with the memory controller. */
function evidenceFiles(memory: LimitDirectory, name: string, all: CgroupDir[]) {
  const path = `${memory.path}/${name}`;
  if (!all.some((dir) => dir.path === path)) return {};
  const v1 = memory.version === 'v1';
  return {
    ...(memory.peak === true
      ? { peak_file: `${path}/${v1 ? 'memory.max_usage_in_bytes' : 'memory.peak'}` }
      : {}),
    oom_file: `${path}/${v1 ? 'memory.oom_control' : 'memory.events'}`,
  };
}

/** How long a sweep waits for killed processes to end, and how often it checks, in milliseconds. */
const SWEEP_PATIENCE_MS = 2000;
const SWEEP_INTERVAL_MS = 10;

/**
 * Kills the processes that earlier attempts left behind and removes their directories, once at start-up.
 * @param keep true for names of attempts that may still run
 * @returns names that are still in use after two seconds
 */
export async function sweepCgroups(layout: CgroupLayout, keep: (name: string) => boolean): Promise<string[]> {
  let left = layoutDirectories(layout)
    .flatMap(subdirectories)
    .filter((path) => !keep(basename(path)))
    .map((path): CgroupSpec => {
      const { track } = layout;
      return {
        track: { path, settings: [] },
        kill_file: track?.path === dirname(path) && track.kill_file,
        limits: [],
      };
    });
  for (let waited = 0; ; waited += SWEEP_INTERVAL_MS) {
    for (const spec of left) if (cgroupPids(spec).length > 0) killCgroup(spec);
    left = left.filter((spec) => !removeCgroup(spec));
    if (left.length === 0 || waited >= SWEEP_PATIENCE_MS) break;
    await delay(SWEEP_INTERVAL_MS);
  }
  return [...new Set(left.map((spec) => basename(spec.track.path)))];
}

/** Removes the layout's own directories if they are empty, when a daemon ends and leaves nothing running. */
export function removeLayout(layout: CgroupLayout): void {
  for (const path of layoutDirectories(layout)) {
    for (const directory of [path, dirname(path)]) {
      try {
        rmdirSync(directory);
      } catch {
        // It is still in use, by an attempt of ours or by another daemon with the same root.
        break;
      }
    }
  }
}

function layoutDirectories(layout: CgroupLayout): string[] {
  const paths = [layout.track?.path, ...CONTROLLER_NAMES.map((controller) => layout[controller]?.path)];
  return [...new Set(paths.filter((path) => path !== undefined))];
}
