import { attemptNumber } from '../../store/records.js';
import { isTerminal } from '../../task/states.js';
import { taskRecord } from '../status.js';
import type { Executor } from '../../executor/executor.js';
import type { Core } from '../core.js';
import type { LiveTask } from '../live-tasks.js';

/**
 * Waits until `until` resolves, but no longer than `waitMs`.
 * @param until gets a signal that aborts when the time has passed or `signal` aborts
 * @throws when `signal` aborts; what `until` rejects with for other reasons
 */
export async function waitAtMost(
  waitMs: number,
  signal: AbortSignal,
  until: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  signal.throwIfAborted();
  const either = new AbortController();
  const abort = () => {
    either.abort();
  };
  const timer = setTimeout(abort, waitMs);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await until(either.signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!either.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    // Whoever was not waited for to the end listens no more.
    either.abort();
  }
}

/** Waits, but no longer than `waitMs`, until an attempt that a place was given has started or ended, where that place hears. */
export async function startIfNear(
  core: Pick<Core, 'announcer'> & { executor: Executor },
  { phase, launchId, record: { task_id } }: LiveTask,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (phase.name !== 'launched' || launchId === null || !core.executor.hears(launchId)) return;
  await waitAtMost(waitMs, signal, (either) =>
    Promise.race([core.announcer.taskStart(task_id, either), core.announcer.attemptEnd(task_id, either)]),
  );
}

/** Waits until there is an event with `seq > afterSeq`, but no longer than `waitMs`. Throws when `signal` aborts. */
export function waitForSeq(
  core: Pick<Core, 'store' | 'announcer'>,
  afterSeq: number,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  return waitAtMost(waitMs, signal, async (either) => {
    while (core.store.lastSeq() <= afterSeq) await core.announcer.nextEvent(either);
  });
}

/** Waits until a task has changed since that version, but no longer than `waitMs`. Throws when `signal` aborts. */
export function waitForVersion(
  { store }: Pick<Core, 'store'>,
  after: number,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  return waitAtMost(waitMs, signal, async (either) => {
    while (store.lastVersion() <= after)
      await new Promise<void>((resolve, reject) => {
        const forget = store.onNextVersion(resolve);
        either.addEventListener(
          'abort',
          () => {
            forget();
            reject(either.reason as Error);
          },
          { once: true },
        );
      });
  });
}

/** Waits until the task is terminal (or deleted), but no longer than `waitMs`. Throws when `signal` aborts. */
export async function waitForEnd(
  core: Pick<Core, 'live' | 'announcer'>,
  taskId: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (waitMs === 0 || core.live.get(taskId) === undefined) return;
  await waitAtMost(waitMs, signal, (either) => core.announcer.taskEnd(taskId, either));
}

/**
 * Waits until an attempt with a higher number has started, or the task is terminal.
 * @returns its number; undefined when there is none
 * @throws ExecgoError `not_found` when the task is deleted; the signal's reason when it aborts
 */
export async function waitForAttempt(
  core: Pick<Core, 'live' | 'store' | 'announcer'>,
  taskId: string,
  after: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  for (;;) {
    signal.throwIfAborted();
    const record = taskRecord(core, taskId);
    if (attemptNumber(record) > after) return after + 1;
    if (isTerminal(record.status)) return undefined;
    const either = new AbortController();
    const abort = () => {
      either.abort();
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      await Promise.race([
        core.announcer.taskStart(taskId, either.signal),
        core.announcer.attemptEnd(taskId, either.signal),
      ]);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      either.abort();
    }
  }
}
