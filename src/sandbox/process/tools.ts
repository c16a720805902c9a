import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { whyNotRootsOwn } from './root-owned.js';

/** Where system tools live. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The shell that runs the launch chain: the one POSIX path that every Linux has. */
export const SHELL = '/bin/sh';

/**
 * Finds a system tool. Returns an absolute path, because a task's PATH must not choose what runs before the task. The
 * system's directories come first; from others, a daemon run as root takes only tools that nobody but root can change.
 * @param searchPath directories separated by `:`; by default the daemon's PATH
 */
export function findTool(name: string, searchPath = process.env.PATH ?? ''): string | undefined {
  const system = SYSTEM_DIRECTORIES.map((directory) => join(directory, name)).find(isExecutableFile);
  if (system !== undefined) return system;
  const found = searchPath
    .split(':')
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, name))
    .filter(isExecutableFile);
  return process.getuid?.() === 0 ? found.map(ownedByRoot).find((path) => path !== undefined) : found[0];
}

/** @throws Error for people when it is not installed */
export function requireTool(name: string): string {
  const path = findTool(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Resolves links, which others might change. Multi-call programs like busybox go by the name they are called by, so that a
 * link to one is kept.
 */
function ownedByRoot(path: string): string | undefined {
  try {
    const directory = realpathSync(join(path, '..'));
    return [directory, realpathSync(path)].every((each) => whyNotRootsOwn(each) === undefined)
      ? join(directory, path.slice(path.lastIndexOf('/') + 1))
      : undefined;
  } catch {
    return undefined;
  }
}
