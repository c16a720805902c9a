import { rmdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { cgroupPids, killCgroup, removeCgroup, subdirectories } from './cgroup.js';
import type { CgroupDir, CgroupSpec } from '../launch.js';

/** One directory under which each launch gets its own for one kind of limit. */
export interface LimitDirectory {
  path: string;
  version: 'v1' | 'v2';
}

/** Where on this host launches get their cgroup directories. Only what was tried and works is named. */
export interface CgroupLayout {
  kind: 'v2' | 'v1' | 'hybrid' | 'none';
  /** Where launches are tracked: the v2 tree where there is one. Absent for `none`. */
  track?: { path: string; kill_file: boolean } | undefined;
  /** `swap`: swap can be limited too; `peak`: the kernel keeps the highest use. */
  memory?: (LimitDirectory & { swap: boolean; peak: boolean }) | undefined;
  pids?: LimitDirectory | undefined;
  cpu?: LimitDirectory | undefined;
}

/** Limits that cgroups can carry. Bytes, processes, thousandths of a core. */
export interface CgroupLimits {
  memory_bytes?: number | undefined;
  pids?: number | undefined;
  cpu_millis?: number | undefined;
  /** Measures peak memory also without a memory limit, where the kernel keeps it. */
  peak?: boolean | undefined;
}

/** The kernel's default period of the CPU quota, and its smallest quota. Microseconds. */
const CPU_PERIOD_US = 100_000;
const CPU_MIN_QUOTA_US = 1000;
/** More cores than any machine has; the kernel refuses quotas that overflow its arithmetic. */
const CPU_MAX_QUOTA_US = 100_000 * CPU_PERIOD_US;
/** PID_MAX_LIMIT of 64-bit kernels; a greater number is refused and would limit nothing. */
const PIDS_MAX = 4_194_304;

/**
 * The cgroup of one launch: a directory for tracking, further ones only for limits that it names.
 * @param name of the directories, e.g. `<incarnation>-<launch id>`: new for each launch, so that peaks start at zero
 * @returns undefined where the host has no cgroups for us
 */
export function cgroupSpec(layout: CgroupLayout, name: string, limits: CgroupLimits): CgroupSpec | undefined {
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
  const { memory, pids, cpu } = layout;
  if (memory !== undefined && limits.memory_bytes !== undefined)
    directory(memory).settings.push(...memorySettings(memory, limits.memory_bytes));
  else if (memory?.peak === true && limits.peak === true) directory(memory);
  if (pids !== undefined && limits.pids !== undefined)
    directory(pids).settings.push(['pids.max', limits.pids > PIDS_MAX ? 'max' : String(limits.pids)]);
  if (cpu !== undefined && limits.cpu_millis !== undefined)
    directory(cpu).settings.push(...cpuSettings(cpu, limits.cpu_millis));
  return {
    track,
    kill_file: layout.track.kill_file,
    limits: all.slice(1),
    ...(memory === undefined ? {} : evidenceFiles(memory, name, all)),
    ...(layout.kind === 'v1' ? {} : { cpu_file: `${track.path}/cpu.stat` }),
  };
}

/**
 * Every directory that a launch of this name may have, whatever its limits: for what is to be killed and removed.
 * @returns undefined where the host has no cgroups for us
 */
export function wholeCgroup(layout: CgroupLayout, name: string): CgroupSpec | undefined {
  const { track } = layout;
  if (track === undefined) return undefined;
  const directory = (base: string): CgroupDir => ({ path: `${base}/${name}`, settings: [] });
  const others = layoutDirectories(layout).filter((base) => base !== track.path);
  return { track: directory(track.path), kill_file: track.kill_file, limits: others.map(directory) };
}

function memorySettings(memory: NonNullable<CgroupLayout['memory']>, bytes: number): CgroupDir['settings'] {
  const value = String(bytes);
  if (memory.version === 'v1')
    return [
      ['memory.limit_in_bytes', value],
      // Memory and swap together: swapping must not become a way around the limit.
      ...(memory.swap ? [['memory.memsw.limit_in_bytes', value] satisfies [string, string]] : []),
    ];
  return [
    ['memory.max', value],
    ...(memory.swap ? [['memory.swap.max', '0'] satisfies [string, string]] : []),
    ['memory.oom.group', '1'],
  ];
}

function cpuSettings(cpu: LimitDirectory, millis: number): CgroupDir['settings'] {
  const share = Math.round((millis * CPU_PERIOD_US) / 1000);
  const quota = Math.min(Math.max(share, CPU_MIN_QUOTA_US), CPU_MAX_QUOTA_US);
  if (cpu.version === 'v2') return [['cpu.max', `${quota} ${CPU_PERIOD_US}`]];
  return [
    ['cpu.cfs_period_us', String(CPU_PERIOD_US)],
    ['cpu.cfs_quota_us', String(quota)],
  ];
}

/** The memory files of a launch, where it has a directory that the memory controller watches. */
function evidenceFiles(memory: NonNullable<CgroupLayout['memory']>, name: string, all: CgroupDir[]) {
  const path = `${memory.path}/${name}`;
  if (!all.some((dir) => dir.path === path)) return {};
  const v1 = memory.version === 'v1';
  return {
    ...(memory.peak ? { peak_file: `${path}/${v1 ? 'memory.max_usage_in_bytes' : 'memory.peak'}` } : {}),
    oom_file: `${path}/${v1 ? 'memory.oom_control' : 'memory.events'}`,
  };
}

/** How long a sweep waits for killed processes to go, and how often it looks. Milliseconds. */
const SWEEP_PATIENCE_MS = 2000;
const SWEEP_INTERVAL_MS = 10;

/**
 * Kills and removes what earlier launches left, once at start.
 * @param keep true for names of launches that may still run
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

/** Removes the layout's own directories where nothing is left in them, at the end of a daemon that leaves nothing running. */
export function removeLayout(layout: CgroupLayout): void {
  for (const path of layoutDirectories(layout)) {
    for (const directory of [path, dirname(path)]) {
      try {
        rmdirSync(directory);
      } catch {
        // Still used, by a launch of ours or by another daemon under the same root.
        break;
      }
    }
  }
}

function layoutDirectories(layout: CgroupLayout): string[] {
  const paths = [layout.track?.path, layout.memory?.path, layout.pids?.path, layout.cpu?.path];
  return [...new Set(paths.filter((path) => path !== undefined))];
}
