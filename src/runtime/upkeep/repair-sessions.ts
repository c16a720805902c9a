import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isTaskId } from '../../task/ids.js';
import { SESSIONS } from '../../task/task-paths.js';
import { hasWorkspace, removeUploads, restoreSessionFiles, trashSession } from '../files/session-files.js';
import { batchesOf } from './batches-of.js';
import { emptyOut } from './remove-tasks.js';
import type { RepairCore, Repairs } from './repairs.js';

/** How many rows are checked in one go. */
const BATCH = 128;

/** Moves directories without a session to the trash, and gives sessions whose workspace is gone an empty one. */
export async function repairSessions(core: RepairCore, found: Repairs, signal: AbortSignal): Promise<void> {
  const { settings, store, log } = core;
  for await (const names of batchesOf(path.join(settings.dataDir, SESSIONS))) {
    if (signal.aborted) return;
    const trashed: string[] = [];
    for (const name of names) {
      const id = name.toString();
      // Row and directory of a new session are made in one turn of the event loop, so none is seen without the other here.
      if (isTaskId(id) && (store.sessions.of(id)?.state ?? 'evicted') !== 'evicted') continue;
      try {
        const moved = trashSession(settings.dataDir, name);
        if (moved === undefined) continue;
        found.orphan_sessions.add(id);
        trashed.push(moved);
      } catch (error) {
        log.warn({ err: error, name: id }, 'a directory without a session cannot be removed');
      }
    }
    await emptyOut(core, trashed);
  }
  for (let after = 0; !signal.aborted;) {
    const page = store.sessions.notEvicted(after, BATCH);
    for (const { session_id } of page) await restore(core, session_id, found);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.session_seq;
    await nextTurn();
  }
}

async function restore(core: RepairCore, sessionId: string, found: Repairs): Promise<void> {
  const { dataDir, taskOwner } = core.settings;
  try {
    removeUploads(dataDir, sessionId);
    if (hasWorkspace(dataDir, sessionId)) return;
    const trashed = restoreSessionFiles(dataDir, sessionId, undefined, taskOwner);
    found.without_workspace.add(sessionId);
    await emptyOut(core, trashed);
  } catch (error) {
    core.log.warn({ err: error, session_id: sessionId }, 'the workspace of a session cannot be made again');
  }
}
