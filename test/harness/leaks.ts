import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { cgroupDirs } from './cgroups.js';
import { type ProcessInfo, listProcesses } from './proc.js';
import { RUN_DIR_VARIABLE, TEST_PREFIX } from './run-dir.js';
import { poll } from './wait.js';

/** What was there before a run and is none of its leaks. */
export interface Before {
  pids: ReadonlySet<number>;
  cgroups: ReadonlySet<string>;
}

/** To be taken before the first test. */
export function lookAround(): Before {
  return { pids: new Set(listProcesses().map((p) => p.pid)), cgroups: new Set(cgroupDirs(TEST_PREFIX)) };
}

/**
 * One sentence for each process, cgroup directory and temporary file that the run in `runDir` left behind.
 * What is on its way out gets `settleMs` milliseconds; nothing is waited for when nothing is there.
 */
export async function findLeaks(runDir: string, before: Before, settleMs: number): Promise<string[]> {
  let leaks: string[] = [];
  await poll(() => {
    leaks = [...leakedProcesses(runDir, before), ...leakedCgroups(runDir, before), ...leakedFiles(runDir)];
    return leaks.length === 0;
  }, settleMs);
  return leaks;
}

function leakedProcesses(runDir: string, before: Before): string[] {
  return listProcesses()
    .filter((p) => !before.pids.has(p.pid) && isLeak(p, runDir))
    .map((p) => `process ${p.pid} was left running: ${p.command.slice(0, 200)}`);
}

/**
 * Whatever else runs on this machine meanwhile is nobody's leak: another run, or somebody's own daemon with its tasks.
 * Children of the process that asks are the test runner's workers, which end after the check.
 */
function isLeak(p: ProcessInfo, runDir: string): boolean {
  if (p.pid === process.pid || p.ppid === process.pid) return false;
  const places = [p.env.get('TMPDIR'), p.env.get(RUN_DIR_VARIABLE), p.cwd];
  // A task that empties its environment and leaves its directory is still in its cgroup.
  return (
    places.some((place) => place !== undefined && isBelow(runDir, place)) ||
    p.command.includes(runDir) ||
    p.cgroups.includes(`/${basename(runDir)}-`)
  );
}

function isBelow(dir: string, path: string): boolean {
  return path === dir || path.startsWith(`${dir}/`);
}

function leakedCgroups(runDir: string, before: Before): string[] {
  return cgroupDirs(`${basename(runDir)}-`)
    .filter((dir) => !before.cgroups.has(dir))
    .map((dir) => `cgroup directory was left: ${dir}`);
}

function leakedFiles(runDir: string): string[] {
  return readdirSync(runDir).map((name) => `temporary file or directory was left: ${runDir}/${name}`);
}
