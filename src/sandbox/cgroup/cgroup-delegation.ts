import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectories } from '../../files/make-directories.js';
import { readText } from '../../files/read-text.js';
import { CONTROLLERS } from '../limits/controllers.js';
import { procsFile } from './cgroup.js';
import { cgroupVersionOf } from './cgroup-mounts.js';

/** The cgroup to which the daemon moves when its own is to have children: on v2, a cgroup with children holds no processes. */
const DAEMON_LEAF = 'execgo-daemon';

/**
 * Makes a v2 directory whose children can have limits, as far as we are allowed to: makes missing parents and enables the
 * controllers in each.
 * @throws Error when the directory cannot be made; a controller that cannot be enabled is missing in the directory
 *   afterwards
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

/** Enables the controllers that are available and not yet enabled in the children of `path`. */
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

/**
 * Moves this process to a cgroup below `path` if it is the only one in `path`. With other processes there, it is not for us
 * to rearrange.
 */
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
  return (readText(path) ?? '').split(/\s+/).filter(Boolean);
}

function exists(path: string): boolean {
  return readText(procsFile(path)) !== undefined;
}
