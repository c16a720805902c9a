import { spawnSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem } from 'node:os';

/** What the numbers of a run hold for. */
export interface Machine {
  cores: number;
  cpu: string;
  memory_gb: number;
  kernel: string;
  node: string;
  /** Of the directory that the data directories were in: `ext4`, `tmpfs`, … */
  file_system: string;
  /** Load average of the minute before: far above 0, and others were at work. */
  load: number;
}

/** @param dir existing directory that holds the data */
export function describeMachine(dir: string): Machine {
  const processors = cpus();
  return {
    cores: processors.length,
    cpu: `${processors[0]?.model.trim() ?? 'unknown'} (${arch()})`,
    memory_gb: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.version,
    file_system: fileSystemOf(dir),
    load: Math.round(loadavg()[0]! * 10) / 10,
  };
}

/** The commit that was measured, with `+` behind it when the work tree differs from it; undefined outside of a clone. */
export function currentCommit(root: string): string | undefined {
  const git = (...args: string[]) => spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' });
  const head = git('rev-parse', '--short=12', 'HEAD');
  if (head.status !== 0) return undefined;
  const changed = git('status', '--porcelain', '--', 'bin', 'src', 'package-lock.json').stdout !== '';
  return `${head.stdout.trim()}${changed ? '+' : ''}`;
}

function fileSystemOf(dir: string): string {
  const path = realpathSync(dir);
  let best = { mountPoint: '', type: 'unknown' };
  let mounts: string;
  try {
    mounts = readFileSync('/proc/self/mounts', 'utf8');
  } catch {
    return best.type;
  }
  for (const line of mounts.split('\n')) {
    const [, mountPoint = '', type = ''] = line.split(' ');
    const inside = path === mountPoint || path.startsWith(mountPoint === '/' ? '/' : `${mountPoint}/`);
    // Of two mounts at one point the later covers the earlier.
    if (inside && mountPoint.length >= best.mountPoint.length) best = { mountPoint, type };
  }
  return best.type;
}
