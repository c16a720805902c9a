import type { Core } from '../core.js';
import { ExecgoError, taskNotFound } from '../../task/errors.js';
import type { WaitMode } from '../../task/wait-mode.js';
import { isTerminal } from '../../task/states.js';
import type { WaitAnswer } from '../../task/view.js';
import { taskRecord } from '../status.js';
import { taskSummary } from '../views/task-view.js';
import { waitingOf, type WaitingCore } from '../views/waiting-view.js';
import { waitAtMost } from './wait.js';

/** How often it is looked whether those that have ended are still there, in milliseconds: a delete tells nobody. */
const LOOK_MS = 250;

/**
 * Waits until one of the tasks, or all of them, have ended, or one is deleted, but no longer than `waitMs`.
 * @throws ExecgoError `not_found` for the first that there is not; what `signal` aborts with
 */
export async function waitForSome(
  core: Pick<Core, 'live' | 'store' | 'announcer'>,
  ids: readonly string[],
  mode: WaitMode,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const unknown = ids.find((id) => core.live.get(id) === undefined && !core.store.tasks.has(id));
  if (unknown !== undefined) throw taskNotFound(unknown);
  const open = new Set(ids.filter((id) => core.live.get(id) !== undefined));
  const isMet = () => (mode === 'all' ? open.size === 0 : open.size < ids.length);
  const isDeleted = () => ids.some((id) => !open.has(id) && !core.store.tasks.has(id));
  if (waitMs === 0 || isMet()) return;
  await waitAtMost(
    waitMs,
    signal,
    (either) =>
      new Promise<void>((resolve, reject) => {
        either.addEventListener('abort', () => {
          clearInterval(looking);
          reject(new ExecgoError('request_timeout', 'the wait is over'));
        });
        const looking = setInterval(() => {
          if (isDeleted()) resolve();
        }, LOOK_MS);
        for (const id of open)
          core.announcer.taskEnd(id, either).then(
            () => {
              open.delete(id);
              if (isMet()) resolve();
            },
            () => undefined,
          );
      }),
  );
}

/** Those tasks as they are, in that order. @throws ExecgoError `not_found` for one that is deleted meanwhile */
export function waitAnswer(
  core: Pick<Core, 'live' | 'store'> & WaitingCore,
  ids: readonly string[],
  mode: WaitMode,
): WaitAnswer {
  const records = ids.map((id) => taskRecord(core, id));
  const ended = records.filter(({ status }) => isTerminal(status)).length;
  const tasks = records.map((record) => taskSummary(record, waitingOf(core, record)));
  return { mode, met: mode === 'all' ? ended === ids.length : ended > 0, tasks };
}
