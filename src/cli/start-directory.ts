import { isAbsolute, resolve } from 'node:path';
import { isLocal } from './command.js';
import { UsageError } from './usage-error.js';

/** The flags that say in which directory a task starts. */
export interface StartDirectoryOptions {
  server: string;
  cwd?: string;
  workspace?: boolean;
  workspaceSubdir?: string;
  session?: string;
}

/**
 * The directory in which a command given at a shell starts: the current one, as with any local command, unless a flag says
 * otherwise. A task of a session starts in the workspace of that. A daemon on another machine does not have that directory; there the task starts in its workspace.
 * @returns `execution.cwd`; undefined for the task's workspace
 * @throws UsageError for flags that contradict each other, and when the current directory has been removed
 */
export function startDirectory(options: StartDirectoryOptions, here = currentDirectory): string | undefined {
  const { cwd, workspace, workspaceSubdir, session } = options;
  const own =
    workspace === true ? '--workspace' : workspaceSubdir === undefined ? undefined : '--workspace-subdir';
  if (cwd !== undefined && own !== undefined) throw new UsageError(`give -C or ${own}, not both`);
  if (own !== undefined || (session !== undefined && cwd === undefined)) return undefined;
  if (cwd === '') throw new UsageError('-C needs a directory; --workspace starts the task in one of its own');
  const isHere = isLocal(options);
  if (cwd === undefined) return isHere ? here() : undefined;
  if (isAbsolute(cwd)) return cwd;
  if (!isHere)
    throw new UsageError(
      `-C ${cwd}: the daemon is on another machine, so the directory must be an absolute one there`,
    );
  return resolve(here(), cwd);
}

/** @throws UsageError when the directory has been removed */
function currentDirectory(): string {
  try {
    return process.cwd();
  } catch {
    throw new UsageError(
      'the current directory does not exist any more: go to another, or say with -C or --workspace where the task is to start',
    );
  }
}
