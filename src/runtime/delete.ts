import fs from 'node:fs/promises';
import { ExecgoError, taskNotFound } from '../task/errors.js';
import { isTerminal } from '../task/states.js';
import type { Core } from './core.js';
import { taskRecord } from './status.js';
import { moveToTrash } from './task-files.js';

/**
 * Deletes a terminal task: its directory is renamed into `trash/`, then its row goes, then its files.
 * @throws ExecgoError `not_found`; `conflict` while it is not terminal
 */
export async function deleteTask(core: Core, taskId: string): Promise<void> {
  const { status, task_dir } = taskRecord(core, taskId);
  if (!isTerminal(status) || core.live.get(taskId) !== undefined)
    throw new ExecgoError(
      'conflict',
      `task ${taskId} is ${status}; kill it and wait for its end before deleting it`,
    );
  const trashed = moveToTrash(core.settings.dataDir, task_dir);
  const deleted = await core.store.commits.write(() => core.store.deleteTask(taskId));
  if (trashed !== undefined) await fs.rm(trashed, { recursive: true, force: true });
  if (!deleted) throw taskNotFound(taskId);
}
