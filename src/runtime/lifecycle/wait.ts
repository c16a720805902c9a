import { attemptNumber, type EndedTask } from '../../store/records.js';
import { isTerminal } from '../../task/states.js';
import { taskRecord } from '../status.js';
import type { Executor } from '../../executor/executor.js';
import type { Core } from '../core.js';
import type { LiveTask } from '../live-tasks.js';

/** Why a wait ends. One for all: without a reason each `abort` makes an error of its own, with a stack that nobody reads. */
const OVER = new Error('the wait is over');

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
    either.abort(OVER);
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
    either.abort(OVER);
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
    while (core.store.events.last <= afterSeq) await core.announcer.nextEvent(either);
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
    while (store.versions.last <= after)
      await new Promise<void>((resolve, reject) => {
        const forget = store.versions.onNext(resolve);
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

/**
 * Waits until the task is terminal (or deleted), but no longer than `waitMs`. Throws when `signal` aborts.
 * @returns how it has ended, if that was told just now
 */
export async function waitForEnd(
  core: Pick<Core, 'live' | 'announcer'>,
  taskId: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<EndedTask | undefined> {
  if (waitMs === 0 || core.live.get(taskId) === undefined) return undefined;
  signal.throwIfAborted();
  // Not by `waitAtMost`: most clients that run a task wait so, and its signals cost more than all else here.
  return new Promise((resolve, reject) => {
    const over = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      forget();
    };
    const abort = () => {
      over();
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      over();
      resolve(undefined);
    }, waitMs);
    const forget = core.announcer.onEnd(taskId, (task) => {
      over();
      resolve(task);
    });
    signal.addEventListener('abort', abort);
  });
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
