import { crashPoint } from '../../executor/crash-point.js';
import type { Executor } from '../../executor/executor.js';
import { errnoOf, messageOf } from '../../files/errno.js';
import type { SessionReason, StoredSession } from '../../store/session-table.js';
import { ExecgoError } from '../../task/errors.js';
import { sessionOf } from '../../task/session-of.js';
import type { SessionDeletion } from '../../task/sessions.js';
import type { Core } from '../core.js';
import { trashSession } from '../files/session-files.js';
import { checkOwnerIs } from '../lifecycle/check-owner.js';
import type { Ends } from '../lifecycle/complete.js';
import { killTask } from '../lifecycle/kill.js';
import { waitAtMost } from '../lifecycle/wait.js';
import type { LiveTask } from '../live-tasks.js';
import type { Schedule } from '../schedule.js';
import type { FileThread } from '../upkeep/file-thread.js';
import { emptyOutSoon } from '../upkeep/remove-tasks.js';
import { knownSession } from './view.js';

/** What the removal of sessions works with. */
export type RemovingCore = Core & { schedule: Schedule; ends: Ends; executor: Executor; files: FileThread };

/**
 * Deletes a session with its files. It is gone when this resolves with true; with false its tasks are being ended, and it goes with
 * the last of them.
 * @throws ExecgoError `not_found`, `permission_denied`; `conflict` while it has tasks and nobody insists, or its directory cannot be
 *   moved: then it is evicted, and stays
 */
export async function deleteSession(
  core: RemovingCore,
  sessionId: string,
  { tenant, owner, force, wait_ms }: SessionDeletion,
  signal: AbortSignal,
): Promise<boolean> {
  const { store, live, now, announcer } = core;
  const session = knownSession(core, sessionId, tenant);
  checkOwnerIs(session.owner, owner, 'session', { session_id: sessionId });
  if (await removeSession(core, sessionId)) return true;
  if (!force) throw busy(knownSession(core, sessionId, tenant));
  await store.commits.write(() => {
    store.sessions.end(sessionId, 'deleted', now());
    crashPoint('before_session_removal');
  });
  crashPoint('after_session_removal');
  const ended = await endTasks(core, sessionId);
  const left = ended.filter((task) => live.get(task.record.task_id) === task);
  await waitAtMost(wait_ms, signal, (either) =>
    Promise.all(left.map((task) => announcer.taskEnd(task.record.task_id, either))),
  );
  return removeSession(core, sessionId);
}

/** Goes on with a deletion. @returns false while there are tasks */
export async function removeSession(core: RemovingCore, sessionId: string): Promise<boolean> {
  return (await evictSession(core, sessionId, 'deleted')) && (await forgetSession(core, sessionId));
}

/**
 * Takes the files of a session away, and leaves the word that it was. First that is written down: a daemon that is killed in between
 * leaves a directory that belongs to nobody, which the next one removes.
 * @returns false when it has tasks
 * @throws ExecgoError `conflict` when its directory cannot be moved
 */
export async function evictSession(
  core: RemovingCore,
  sessionId: string,
  reason: SessionReason,
): Promise<boolean> {
  const { store, now, settings, log } = core;
  const isEvicted = await store.commits.write(() => {
    const before = store.sessions.of(sessionId);
    // Somebody else was first.
    if (before === undefined || before.state === 'evicted') return true;
    const evicted = store.sessions.evict(sessionId, reason, now());
    crashPoint('before_eviction_commit');
    return evicted !== undefined;
  });
  if (!isEvicted) return false;
  crashPoint('after_eviction_commit');
  try {
    const trashed = trashSession(settings.dataDir, sessionId);
    if (trashed !== undefined) emptyOutSoon(core, [trashed]);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    log.warn({ err: error, session_id: sessionId }, 'the directory of an evicted session cannot be removed');
    throw new ExecgoError(
      'conflict',
      `session ${sessionId} is evicted, and its directory cannot be removed: ${messageOf(error)}`,
    );
  }
  crashPoint('after_eviction');
  return true;
}

/** Forgets that there was a session. */
export async function forgetSession({ store }: Pick<Core, 'store'>, sessionId: string): Promise<boolean> {
  await store.commits.write(() => {
    store.sessions.delete(sessionId);
    crashPoint('before_session_forgotten');
  });
  crashPoint('after_session_forgotten');
  return true;
}

/** Kills all tasks of a session. @returns them */
export async function endTasks(core: RemovingCore, sessionId: string): Promise<LiveTask[]> {
  const tasks = [...core.live.all()].filter(({ record }) => sessionOf(record.request) === sessionId);
  // Those that wait first, the last one foremost: so none of them starts because another ends.
  for (const task of tasks.toReversed()) core.schedule.withdraw(task.record.task_id);
  await Promise.all(tasks.map((task) => killTask(core, task, {})));
  return tasks;
}

function busy({ session_id, counts }: StoredSession): ExecgoError {
  const left = counts.submitted - counts.success - counts.failed - counts.cancelled;
  const what = left === 1 ? '1 task has' : `${left} tasks have`;
  return new ExecgoError(
    'conflict',
    `session ${session_id} is busy: ${what} not ended; wait for that, or delete it with force, which ends them`,
    { session_id, tasks: left },
  );
}
