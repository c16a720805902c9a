import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeDirectories } from '../../files/make-directories.js';
import { createCgroup, removeCgroup } from './cgroup.js';
import { makeDelegated } from './cgroup-delegation.js';
import {
  CONTROLLERS,
  CONTROLLER_NAMES,
  type Controller,
  type LimitDirectory,
} from '../limits/controllers.js';
import { cgroupSpec, type CgroupLayout } from './cgroup-layout.js';
import { freezerOf } from './freezer.js';
import { cgroupVersionOf, ownCgroup, readCgroupMounts } from './cgroup-mounts.js';
import { messageOf } from '../../files/errno.js';

/**
 * Makes the directories below which attempts get theirs, in every cgroup file system where we may, and tells from their
 * files what should work. The caller tries whether it does.
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
  // Attempts are tracked there where v2 does not do it.
  const wanted = [
    ...CONTROLLER_NAMES.map((name): string => CONTROLLERS[name].v1),
    ...(mounts.some((mount) => mount.version === 'v2') ? [] : ['freezer']),
  ];
  const bases = mounts.flatMap((mount) => {
    const base = version === 'v1' ? cgroupRoot : join(mount.path, basename(cgroupRoot));
    if (mount.version === 'v1' && !wanted.some((name) => mount.controllers.includes(name))) return [];
    if (cgroupVersionOf(base) !== mount.version) return [];
    return makeBase(join(base, share), mount.version, reasons) ? [{ ...mount, path: join(base, share) }] : [];
  });
  const unified = bases.find((base) => base.version === 'v2');
  const directories = layoutOf((controller) => {
    const base = bases.find((mount) => mount.controllers.includes(CONTROLLERS[controller].v1));
    if (base === undefined) return undefined;
    return directoryOf(controller, base.path, 'v1', (file) => existsSync(join(base.path, file)));
  });
  const freezer = bases.find((base) => base.controllers.includes('freezer'));
  const track = unified ?? freezer ?? directories.pids ?? directories.memory ?? directories.cpu;
  if (track === undefined) {
    const nowhere = `${cgroupRoot} is not on a cgroup file system, and none is mounted beside it`;
    reasons.cgroup = reasons.cgroup ?? nowhere;
    return { kind: 'none' };
  }
  return {
    kind: unified === undefined ? 'v1' : Object.keys(directories).length > 0 ? 'hybrid' : 'v2',
    track: trackDirectory(track.path),
    ...directories,
  };
}

function unifiedLayout(cgroupRoot: string, share: string, reasons: Record<string, string>): CgroupLayout {
  const path = [cgroupRoot, ownRoot()]
    .filter((root) => root !== undefined)
    .map((root) => join(root, share))
    .find((directory) => makeBase(directory, 'v2', reasons));
  if (path === undefined) return { kind: 'none' };
  const child = (file: string) => existsInChild(path, file);
  return {
    kind: 'v2',
    track: trackDirectory(path),
    ...layoutOf((controller) =>
      child(CONTROLLERS[controller].v2File) ? directoryOf(controller, path, 'v2', child) : undefined,
    ),
  };
}

type Directories = Partial<Record<Controller, LimitDirectory>>;

/** The directory of each controller that has one. */
function layoutOf(find: (controller: Controller) => LimitDirectory | undefined): Directories {
  const directories: Directories = {};
  for (const controller of CONTROLLER_NAMES) {
    const directory = find(controller);
    if (directory !== undefined) directories[controller] = directory;
  }
  return directories;
}

function directoryOf(
  controller: Controller,
  path: string,
  version: 'v1' | 'v2',
  has: (file: string) => boolean,
): LimitDirectory {
  const traits = Object.entries(CONTROLLERS[controller].traits).map(([trait, file]): [string, boolean] => [
    trait,
    has((file as Record<typeof version, string>)[version]),
  ]);
  return { path, version, ...Object.fromEntries(traits) };
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

/** A controller's file appears in new children of a directory once the controller is enabled for them. */
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
  return { path, kill_file: existsSync(join(path, 'cgroup.kill')), freezer: freezerOf(path) };
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
