import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { canNameDirectory } from '../../task/ids.js';
import { isTerminal } from '../../task/states.js';
import { withDirectory } from '../../files/directory.js';
import type { TaskDirState } from './inspect-task-dir.js';
import { readOutput } from '../output/read-output.js';
import { emptyOut } from './remove-tasks.js';
import { batchesOf } from './batches-of.js';
import { nothingFound, type RepairCore, type Repairs } from './repairs.js';
import { repairSessions } from './repair-sessions.js';
import { inTaskDir, writeResult } from '../files/task-files.js';
import { TASKS, TRASH } from '../../task/task-paths.js';
import { pastAttempts } from '../views/attempts-view.js';
import { encodeTask } from '../views/task-view.js';
import { moveToTrash } from '../files/trash.js';

/** How many rows are checked in one go: about a millisecond of the event loop. */
const BATCH = 128;

/**
 * Compares files and rows after a start and repairs what a crash has left; when they disagree the row is right. Runs beside
 * the daemon's work in small steps, even with a million directories.
 * @param signal ends it early; the next start begins anew
 */
export async function repairFiles(core: RepairCore, signal: AbortSignal): Promise<Repairs> {
  const found = nothingFound();
  const { dataDir } = core.settings;
  await emptyTrash(core, found, signal);
  for await (const names of batchesOf(path.join(dataDir, TASKS))) {
    if (signal.aborted) return found;
    await checkDirectories(core, names, found);
  }
  await repairSessions(core, found, signal);
  let after = '';
  while (!signal.aborted) {
    const ids = core.store.tasks.ids(after, BATCH);
    after = ids.at(-1) ?? after;
    if (ids.length === 0) break;
    await checkRows(core, ids, found);
    await nextTurn();
  }
  report(core, found);
  return found;
}

async function emptyTrash(core: RepairCore, found: Repairs, signal: AbortSignal): Promise<void> {
  for await (const names of batchesOf(path.join(core.settings.dataDir, TRASH))) {
    if (signal.aborted) return;
    found.trash += names.length;
    await emptyOut(core, names.map(String));
  }
}

/** Moves directories without a row to the trash, and writes the missing `result.json` of tasks that have ended. */
async function checkDirectories(core: RepairCore, names: Buffer[], found: Repairs): Promise<void> {
  const trashed: string[] = [];
  const ids: string[] = [];
  for (const name of names) {
    const id = name.toString();
    // The row and the directory of a new task are made in one turn of the event loop, so none is seen without the other
    // here. A name that is no valid text belongs to no task, whatever it looks like as text.
    if (canNameDirectory(id) && Buffer.from(id).equals(name) && core.store.tasks.has(id)) {
      if (core.live.get(id) === undefined) ids.push(id);
    } else trashed.push(...orphan(core, name, found));
  }
  found.directories += ids.length;
  const states = await core.files.ask('inspect', ids);
  for (const [i, id] of ids.entries()) {
    const state = states[i];
    if (state !== undefined) await putRight(core, id, state, found);
  }
  await emptyOut(core, trashed);
}

function orphan(core: RepairCore, name: Buffer, found: Repairs): string[] {
  const { dataDir } = core.settings;
  try {
    const trashed = withDirectory(dataDir, [TASKS], (tasks) => moveToTrash(dataDir, tasks, name));
    if (trashed === undefined) return [];
    found.orphans.add(name.toString());
    return [trashed];
  } catch (error) {
    core.log.warn({ err: error, name: name.toString() }, 'a directory without a task cannot be removed');
    return [];
  }
}

async function putRight(core: RepairCore, id: string, state: TaskDirState, found: Repairs): Promise<void> {
  if (state.dir !== 'there' || (state.result === 'whole' && state.temporary.length === 0)) return;
  const record = core.store.tasks.get(id);
  if (record === undefined || core.live.get(id) !== undefined || !isTerminal(record.status)) return;
  try {
    const { dataDir } = core.settings;
    const trashed = inTaskDir(dataDir, id, (directory) =>
      state.temporary.flatMap((name) => {
        found.temporary.add(`${id}/${name}`);
        return moveToTrash(dataDir, directory, name) ?? [];
      }),
    );
    await emptyOut(core, trashed);
    if (state.result === 'whole') return;
    const result = encodeTask(record, await readOutput(core, record, undefined, true), core.now(), dataDir, {
      pretty: true,
      past: pastAttempts(core.store, record),
    });
    // The task may have been collected while its output was read: a file written now would belong to no task.
    if (!core.store.tasks.has(id)) return;
    const spoilt = writeResult(dataDir, id, result);
    found.results.add(id);
    await emptyOut(core, spoilt);
  } catch (error) {
    core.log.warn({ err: error, task_id: id }, 'the result of a task cannot be written again');
  }
}

/**
 * Finds ended tasks whose directory, and with it their output, is gone. Waiting tasks get theirs back when they are
 * dispatched.
 */
async function checkRows(core: RepairCore, taskIds: string[], found: Repairs): Promise<void> {
  const known = taskIds.filter((id) => canNameDirectory(id) && core.live.get(id) === undefined);
  const there = await core.files.ask('isDirectory', known);
  known.forEach((id, i) => {
    if (there[i] === false && core.store.tasks.has(id)) found.without_directory.add(id);
  });
}

function report(core: RepairCore, found: Repairs): void {
  const { orphans, without_directory, results, temporary, orphan_sessions, without_workspace } = found;
  const wrong = Object.entries({
    ...{ orphans, without_directory, results, temporary },
    ...{ orphan_sessions, without_workspace },
  }).filter(([, { count }]) => count > 0);
  if (wrong.length === 0) {
    core.log.debug({ directories: found.directories, trash: found.trash }, 'files and rows fit together');
    return;
  }
  const summary = wrong.map(([kind, { count, first }]) => [kind, { count, first }]);
  core.log.warn(Object.fromEntries(summary), 'files and rows did not fit together; put right what could be');
}
