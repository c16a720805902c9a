import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeDirectories } from '../../files/make-directories.js';
import { createCgroup, removeCgroup } from './cgroup.js';
import { makeDelegated } from './cgroup-delegation.js';
import { cgroupSpec, type CgroupLayout } from './cgroup-layout.js';
import { cgroupVersionOf, ownCgroup, readCgroupMounts } from './cgroup-mounts.js';

/** Controllers that limits need: name, the limit of a request, the capability. */
export const CGROUP_KINDS = [
  ['memory', 'memory_bytes', 'memory_limit'],
  ['pids', 'pids', 'pids_limit'],
  ['cpu', 'cpu_millis', 'cpu_quota'],
] as const;

/**
 * Makes the directories that launches would get theirs in, wherever cgroup file systems let us, and names what their files
 * promise. Whether that holds is for the caller to try.
 * @param reasons gets `cgroup` when nothing was found
 */
export function findCgroups(
  cgroupRoot: string,
  share: string,
  reasons: Record<string, string>,
): CgroupLayout {
  const version = cgroupVersionOf(cgroupRoot);
  if (version === 'v2') return unifiedLayout(cgroupRoot, share, reasons);
  const mounts = readCgroupMounts().filter((mount) =>
    version === 'v1' ? isWithin(cgroupRoot, mount.path) : dirname(mount.path) === dirname(cgroupRoot),
  );
  const bases = mounts.flatMap((mount) => {
    const base = version === 'v1' ? cgroupRoot : join(mount.path, basename(cgroupRoot));
    if (mount.version === 'v1' && !CGROUP_KINDS.some(([kind]) => mount.controllers.includes(kind))) return [];
    if (cgroupVersionOf(base) !== mount.version) return [];
    return makeBase(join(base, share), mount.version, reasons) ? [{ ...mount, path: join(base, share) }] : [];
  });
  const unified = bases.find((base) => base.version === 'v2');
  const v1 = (controller: string) => {
    const base = bases.find((mount) => mount.controllers.includes(controller));
    return base === undefined ? undefined : { path: base.path, version: 'v1' as const };
  };
  const [memory, pids, cpu] = [v1('memory'), v1('pids'), v1('cpu')];
  const track = unified ?? pids ?? memory ?? cpu;
  if (track === undefined) {
    const nowhere = `${cgroupRoot} is not on a cgroup file system, and none is mounted beside it`;
    reasons.cgroup = reasons.cgroup ?? nowhere;
    return { kind: 'none' };
  }
  return {
    kind: unified === undefined ? 'v1' : memory || pids || cpu ? 'hybrid' : 'v2',
    track: trackDirectory(track.path),
    memory: memory && {
      ...memory,
      swap: existsSync(join(memory.path, 'memory.memsw.limit_in_bytes')),
      peak: existsSync(join(memory.path, 'memory.max_usage_in_bytes')),
    },
    pids,
    cpu,
  };
}

function unifiedLayout(cgroupRoot: string, share: string, reasons: Record<string, string>): CgroupLayout {
  const path = [cgroupRoot, ownRoot()]
    .filter((root) => root !== undefined)
    .map((root) => join(root, share))
    .find((directory) => makeBase(directory, 'v2', reasons));
  if (path === undefined) return { kind: 'none' };
  const child = (file: string) => existsInChild(path, file);
  const limit = { path, version: 'v2' as const };
  return {
    kind: 'v2',
    track: trackDirectory(path),
    memory: child('memory.max')
      ? { ...limit, swap: child('memory.swap.max'), peak: child('memory.peak') }
      : undefined,
    pids: child('pids.max') ? limit : undefined,
    cpu: child('cpu.max') ? limit : undefined,
  };
}

/** A directory below the daemon's own cgroup. */
function ownRoot(): string | undefined {
  const mount = readCgroupMounts().find(({ version }) => version === 'v2');
  const own = ownCgroup();
  return mount === undefined || own === undefined ? undefined : join(mount.path, own, 'execgo-runtime');
}

function makeBase(path: string, version: 'v1' | 'v2', reasons: Record<string, string>): boolean {
  try {
    if (version === 'v2') makeDelegated(path);
    else makeDirectories(path);
    return true;
  } catch (error) {
    reasons.cgroup = `cannot make ${path}: ${messageOf(error)}`;
    return false;
  }
}

/** Controller files of a directory show in its children only once they are passed down. */
function existsInChild(path: string, file: string): boolean {
  const spec = cgroupSpec(
    { kind: 'v2', track: { path, kill_file: false } },
    `probe-${process.pid}-files`,
    {},
  );
  if (spec === undefined) return false;
  try {
    createCgroup(spec);
    return existsSync(join(spec.track.path, file));
  } catch {
    return false;
  } finally {
    removeCgroup(spec);
  }
}

function trackDirectory(path: string) {
  return { path, kill_file: existsSync(join(path, 'cgroup.kill')) };
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
