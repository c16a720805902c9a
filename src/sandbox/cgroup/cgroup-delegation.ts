import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectories } from '../../files/make-directories.js';
import { CONTROLLERS } from '../limits/controllers.js';
import { procsFile } from './cgroup.js';
import { cgroupVersionOf } from './cgroup-mounts.js';

/** Where the daemon moves when its own cgroup is to have children: processes live in leaves only. */
const DAEMON_LEAF = 'execgo-daemon';

/**
 * Makes a v2 directory whose children can have limits, as far as it is allowed: makes missing parents
 * and passes the controllers down through each.
 * @throws Error when the directory cannot be made; a controller that cannot be had is simply not there afterwards
 */
export function makeDelegated(path: string): void {
  const parent = dirname(path);
  if (cgroupVersionOf(parent) === 'v2' && !isMountRoot(path)) {
    if (!exists(path)) makeDelegated(parent);
    else passDown(parent);
    makeDirectories(path);
  }
  passDown(path);
}

function isMountRoot(path: string): boolean {
  return cgroupVersionOf(path) === 'v2' && cgroupVersionOf(dirname(path)) !== 'v2';
}

/** Enables what is available and not enabled yet in the children of `path`. */
function passDown(path: string): void {
  const enabled = words(join(path, 'cgroup.subtree_control'));
  const wanted = words(join(path, 'cgroup.controllers')).filter(
    (c) => Object.hasOwn(CONTROLLERS, c) && !enabled.includes(c),
  );
  for (const controller of wanted) {
    if (!enable(path, controller) && leaveFor(path)) enable(path, controller);
  }
}

function enable(path: string, controller: string): boolean {
  try {
    writeFileSync(join(path, 'cgroup.subtree_control'), `+${controller}`);
    return true;
  } catch {
    return false;
  }
}

/** Moves this process to a leaf when it is the only one in `path`: with others there, it is not ours to arrange. */
function leaveFor(path: string): boolean {
  const own = String(process.pid);
  const processes = words(procsFile(path));
  if (processes.length !== 1 || processes[0] !== own) return false;
  try {
    const leaf = join(path, DAEMON_LEAF);
    mkdirSync(leaf, { recursive: true });
    writeFileSync(procsFile(leaf), own);
    return true;
  } catch {
    return false;
  }
}

function words(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split(/\s+/).filter(Boolean);
  } catch {
    return [];
  }
}

function exists(path: string): boolean {
  try {
    readFileSync(procsFile(path));
    return true;
  } catch {
    return false;
  }
}
