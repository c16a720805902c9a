import { ExecgoError, taskNotFound } from '../../task/errors.js';
import { isTerminal } from '../../task/states.js';
import { errnoOf, messageOf } from '../../files/errno.js';
import { checkOwner } from './check-owner.js';
import type { Core } from '../core.js';
import type { Dependants } from './dependants.js';
import { asStorageError } from '../storage-error.js';
import type { FileThread } from '../upkeep/file-thread.js';
import { emptyOutSoon, removeRows } from '../upkeep/remove-tasks.js';
import { taskRecord } from '../status.js';

/** What a delete works with. */
export type DeletingCore = Pick<Core, 'live' | 'store' | 'log' | 'settings'> & {
  files: FileThread;
  dependants: Dependants;
};

/**
 * Deletes a terminal task: its directory is renamed into `trash/`, then its row is deleted. The files are removed afterwards
 * and not waited for, because the task decides how many there are.
 * @param owner value of `x-execgo-owner`
 * @throws ExecgoError `not_found`; `permission_denied` for another owner; `conflict` while it is not terminal, or when its
 *   directory cannot be moved, in which case it stays
 */
export async function deleteTask(
  core: DeletingCore,
  taskId: string,
  owner: string | undefined,
): Promise<void> {
  const record = taskRecord(core, taskId);
  checkOwner(record, owner);
  const { status } = record;
  if (!isTerminal(status) || core.live.get(taskId) !== undefined)
    throw new ExecgoError(
      'conflict',
      `task ${taskId} is ${status}; kill it and wait for its end before deleting it`,
    );
  await core.dependants.told(taskId);
  const { store, files, log, settings } = core;
  const { removed, failed } = await removeRows({ dataDir: settings.dataDir, store }, [taskId]);
  if (failed[0] !== undefined) throw notRemoved(taskId, asStorageError(failed[0].error));
  if (removed[0] === undefined) {
    if (!store.tasks.has(taskId)) throw taskNotFound(taskId);
    throw new ExecgoError(
      'conflict',
      `task ${taskId} stays until the tasks after it have been told how it ended; delete it again in a moment`,
    );
  }
  if (removed[0].trashed !== undefined) emptyOutSoon({ files, log }, [removed[0].trashed]);
}

/** Something the task did to its directory has to be undone by a person: an immutable file, a mount. */
function notRemoved(taskId: string, error: unknown): unknown {
  if (error instanceof ExecgoError || errnoOf(error) === undefined) return error;
  return new ExecgoError(
    'conflict',
    `task ${taskId} stays, as its directory cannot be removed: ${messageOf(error)}`,
  );
}
