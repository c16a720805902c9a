import type { Logger } from 'pino';
import { canNameDirectory } from '../../task/ids.js';
import { withDirectory } from '../../files/directory.js';
import type { Store } from '../../store/store.js';
import type { FileThread } from './file-thread.js';
import type { Removal } from './remove-tree.js';
import { TASKS } from '../../task/task-paths.js';
import { moveToTrash, putBack } from '../files/trash.js';

/** What removing tasks needs; less than a whole daemon has. */
export interface RemovalParts {
  /** Absolute. */
  dataDir: string;
  store: Store;
  files: FileThread;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** A task that is gone from the database, with the name its directory has in the trash. */
export interface RemovedTask {
  task_id: string;
  /** Undefined when it had no directory. */
  trashed: string | undefined;
}

/** Why a task could not be removed; it is still there. */
export interface FailedTask {
  task_id: string;
  error: unknown;
}

/**
 * Removes terminal tasks: renames each one's directory into the trash under a unique name and deletes its row, all in one
 * transaction. The files are still to be removed, see {@link emptyOut}. A task that is gone or no longer terminal is
 * skipped; one whose directory cannot be renamed stays as it is.
 * @param write how to write to the database: at once, or with the next transaction
 */
export async function removeRows(
  { dataDir, store }: Pick<RemovalParts, 'dataDir' | 'store'>,
  taskIds: readonly string[],
  write: 'write' | 'writeAlong' = 'write',
): Promise<{ removed: RemovedTask[]; failed: FailedTask[] }> {
  const removed: RemovedTask[] = [];
  const failed: FailedTask[] = [];
  await Promise.all(
    taskIds.map(async (task_id) => {
      let trashed: string | undefined;
      try {
        const deleted = await store.commits[write](() => {
          if (!store.changes.delete(task_id)) return false;
          if (canNameDirectory(task_id))
            trashed = withDirectory(dataDir, [TASKS], (tasks) => moveToTrash(dataDir, tasks, task_id));
          return true;
        });
        if (deleted) removed.push({ task_id, trashed });
      } catch (error) {
        failed.push({ task_id, error: afterFailure(dataDir, task_id, trashed) ?? error });
      }
    }),
  );
  return { removed, failed };
}

/** Removes the trash entries with these names; what cannot be removed stays there and is logged. */
export async function emptyOut(
  { files, log }: Pick<RemovalParts, 'files' | 'log'>,
  trashed: readonly string[],
): Promise<Removal> {
  const all: Removal = { bytes: 0, problems: [] };
  for (const { bytes, problems } of await files.ask('remove', [...trashed])) {
    all.bytes += bytes;
    all.problems.push(...problems);
  }
  if (all.problems.length > 0)
    log.warn(
      { problems: all.problems },
      'files of removed tasks cannot be deleted and stay in trash/; the next start tries again',
    );
  return all;
}

/** As {@link emptyOut}, but returns at once. */
export function emptyOutSoon(parts: Pick<RemovalParts, 'files' | 'log'>, trashed: readonly string[]): void {
  emptyOut(parts, trashed).catch((error: unknown) => {
    parts.log.warn({ err: error, trashed }, 'entries of trash/ stay there until the next start');
  });
}

/** The transaction failed after the rename: the row is still there, so its directory is moved back. */
function afterFailure(dataDir: string, taskId: string, trashed: string | undefined): unknown {
  if (trashed === undefined) return undefined;
  try {
    putBack(dataDir, taskId, trashed);
    return undefined;
  } catch (error) {
    return error;
  }
}
