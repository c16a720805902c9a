import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  write,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { errnoOf, isErrno, messageOf } from '../../files/errno.js';
import { readText } from '../../files/read-text.js';
import type { CgroupDir, CgroupSpec } from '../launch.js';
import { LIFTED } from '../limits/controllers.js';
import { freezerOf, thaw } from './freezer.js';

const writeAsync = promisify(write);

/** What the kernel counted for all processes of an attempt, including those that were never waited for. */
export interface CgroupUsage {
  /** In bytes. Absent when nothing measured it. */
  memory_peak_bytes?: number | undefined;
  /** How many processes the kernel killed because memory ran out. Absent when nothing counted them. */
  oom_kills?: number | undefined;
  /** In milliseconds. Absent when nothing measured it. */
  user_cpu_ms?: number | undefined;
  system_cpu_ms?: number | undefined;
}

/**
 * Makes the directories of one attempt and writes their settings; leaves nothing behind when it fails.
 * @throws Error for people, naming the file.
 */
export function createCgroup(spec: CgroupSpec): void {
  const made: string[] = [];
  try {
    for (const dir of directories(spec)) {
      attempt(`make cgroup ${dir.path}`, () => mkdirSync(dir.path));
      made.push(dir.path);
      for (const [file, value] of dir.settings)
        attempt(`set ${join(dir.path, file)} to ${value}`, () => writeSetting(join(dir.path, file), value));
    }
  } catch (error) {
    for (const path of made.reverse()) rmdirSync(path);
    throw error;
  }
}

/** A device that has gone since it was looked for (ENODEV) needs no limit. */
function writeSetting(file: string, value: string): void {
  try {
    writeFileSync(file, value);
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}

/**
 * Moves a process into all directories of the attempt, on another thread: on a machine that has been idle the kernel takes 8
 * ms for it. A process that has ended meanwhile is ignored; the caller makes sure that its pid has not been given to another
 * one.
 * @throws Error for people, naming the directory.
 */
export async function enterCgroup(spec: CgroupSpec, pid: number): Promise<void> {
  for (const { path } of directories(spec)) {
    try {
      const fd = openSync(procsFile(path), 'w');
      try {
        await writeAsync(fd, String(pid));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      notMoved(pid, path, error);
    }
  }
}

/**
 * As {@link enterCgroup}, but done when it returns: for a process that was just found and is not our child, so that its pid
 * may be given to another process soon. Takes 50 µs right after another move.
 * @throws Error for people, naming the directory.
 */
export function enterCgroupNow(spec: CgroupSpec, pid: number): void {
  for (const { path } of directories(spec)) {
    try {
      writeFileSync(procsFile(path), String(pid));
    } catch (error) {
      notMoved(pid, path, error);
    }
  }
}

/** @throws Error for people, unless the process has ended. */
function notMoved(pid: number, path: string, error: unknown): void {
  if (errnoOf(error) !== 'ESRCH') throw cannot(`move process ${pid} into cgroup ${path}`, error);
}

/** @returns pids in the directories of the attempt and in subdirectories that the task made. */
export function cgroupPids(spec: CgroupSpec): number[] {
  const pids = new Set<number>();
  for (const { path } of directories(spec)) collectPids(path, pids);
  return [...pids];
}

/**
 * Kills every process of the attempt: through `cgroup.kill` if that works, else by SIGKILL to each listed pid until no new
 * one appears. Returns before they have ended. Throws nothing: a process that cannot be killed now (of another user, or in a
 * cgroup that the task made a threaded one) must not keep the others from being killed, or itself from being tried again.
 */
export function killCgroup(spec: CgroupSpec): void {
  for (const { path } of directories(spec)) {
    liftDeviceLimits(path);
    if (freezerOf(path) === 'v1') thawAll(path);
  }
  if (spec.kill_file && succeeds(() => writeFileSync(join(spec.track.path, 'cgroup.kill'), '1')))
    if (spec.limits.length === 0) return;
  const killed = new Set<number>();
  for (;;) {
    const fresh = cgroupPids(spec).filter((pid) => !killed.has(pid));
    if (fresh.length === 0) return;
    for (const pid of fresh) {
      killed.add(pid);
      succeeds(() => process.kill(pid, 'SIGKILL'));
    }
  }
}

/** Lets through what waits for its turn at a device, so that it can be killed. */
function liftDeviceLimits(path: string): void {
  for (const [name, nothing] of Object.entries(LIFTED)) {
    const file = join(path, name);
    const lines = existsSync(file) ? (readText(file) ?? '') : '';
    for (const device of lines.match(/^\d+:\d+/gm) ?? [])
      succeeds(() => writeFileSync(file, `${device} ${nothing}`));
  }
}

/** On v1 not even KILL ends what is frozen, also where the task has frozen it itself. */
function thawAll(path: string): void {
  thaw(path, 'v1');
  for (const below of subdirectories(path)) thawAll(below);
}

/** Reads peak memory, CPU time and the number of out-of-memory kills; to be called before {@link removeCgroup}. */
export function readCgroupUsage(spec: CgroupSpec): CgroupUsage {
  const peak = readText(spec.peak_file)?.trim();
  const oomKills = /^oom_kill (\d+)$/m.exec(readText(spec.oom_file) ?? '')?.[1];
  return {
    ...(peak !== undefined && /^\d+$/.test(peak) ? { memory_peak_bytes: Number(peak) } : {}),
    ...(oomKills === undefined ? {} : { oom_kills: Number(oomKills) }),
    ...parseCpuStat(readText(spec.cpu_file) ?? ''),
  };
}

/** The two times of v2's `cpu.stat`, which counts in microseconds. */
function parseCpuStat(text: string): Pick<CgroupUsage, 'user_cpu_ms' | 'system_cpu_ms'> {
  const milliseconds = (key: string) => {
    const value = new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1];
    return value === undefined ? undefined : Math.round(Number(value) / 1000);
  };
  const [user, system] = [milliseconds('user_usec'), milliseconds('system_usec')];
  return user === undefined || system === undefined ? {} : { user_cpu_ms: user, system_cpu_ms: system };
}

/** Removes the directories of the attempt and those that the task made in them. @returns false while one is still in use. */
export function removeCgroup(spec: CgroupSpec): boolean {
  return directories(spec)
    .map(({ path }) => removeTree(path))
    .every(Boolean);
}

/** Adds the pids in a cgroup directory and below it. */
function collectPids(path: string, pids: Set<number>): void {
  // A threaded cgroup does not list its processes but their threads; a signal to one thread reaches its whole process.
  for (const line of (readText(procsFile(path)) ?? readText(join(path, 'cgroup.threads')) ?? '').split(
    '\n',
  )) {
    // 0 stands for a process outside of our pid namespace; kill(0) would signal ourselves.
    if (line !== '' && line !== '0') pids.add(Number(line));
  }
  for (const child of subdirectories(path)) collectPids(child, pids);
}

function removeTree(path: string): boolean {
  for (;;) {
    try {
      rmdirSync(path);
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return true;
      const children = subdirectories(path);
      if (children.length === 0 || !children.map(removeTree).every(Boolean)) return false;
    }
  }
}

/** Paths of the directories in a cgroup directory; empty when it is gone. */
export function subdirectories(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(path, entry.name));
  } catch {
    return [];
  }
}

/** The file that lists a cgroup's processes, and moves the ones written to it. */
export function procsFile(path: string): string {
  return join(path, 'cgroup.procs');
}

/** All directories of an attempt, `track` first. */
export function directories(spec: CgroupSpec): CgroupDir[] {
  return [spec.track, ...spec.limits];
}

function attempt(what: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw cannot(what, error);
  }
}

function cannot(what: string, cause: unknown): Error {
  return new Error(`cannot ${what}: ${messageOf(cause)}`, { cause });
}

function succeeds(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
