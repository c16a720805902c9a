import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/** Where system tools live; searched after the given path, which may lack the `sbin` directories. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The shell that runs the launch chain: the one POSIX path that every Linux has. */
export const SHELL = '/bin/sh';

/**
 * Finds a system tool. The answer is absolute, because a task's own PATH must not choose what runs before the task does.
 * @param searchPath directories separated by `:`; the daemon's PATH unless told
 */
export function findTool(name: string, searchPath = process.env.PATH ?? ''): string | undefined {
  return [...searchPath.split(':'), ...SYSTEM_DIRECTORIES]
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, name))
    .find(isExecutableFile);
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
