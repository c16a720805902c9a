import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Store } from '../../store/store.js';

/** How many rows are deleted in one transaction: about a millisecond of the event loop. */
const BATCH = 128;

/**
 * Deletes idempotency keys that were first used `maxAgeMs` ago or earlier, in small batches that wait for other writes.
 * @param signal stops after the current batch
 * @throws ExecgoError `insufficient_storage` or `unavailable` when the database cannot be written
 */
export function expireKeys(
  { keys, commits }: Pick<Store, 'keys' | 'commits'>,
  maxAgeMs: number,
  signal: AbortSignal,
): Promise<void> {
  return inBatches(
    commits,
    () => keys.olderThan(maxAgeMs, BATCH),
    (key) => {
      keys.delete(key);
    },
    signal,
  );
}

/** Forgets in the same way how tasks ended that were removed `maxAgeMs` ago or earlier. */
export function expireEnds(
  { dependencies, commits }: Pick<Store, 'dependencies' | 'commits'>,
  maxAgeMs: number,
  signal: AbortSignal,
): Promise<void> {
  return inBatches(
    commits,
    () => dependencies.rememberedFor(maxAgeMs, BATCH),
    (taskId) => {
      dependencies.forget(taskId);
    },
    signal,
  );
}

async function inBatches<T>(
  commits: Store['commits'],
  due: () => T[],
  remove: (item: T) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const batch = due();
    if (batch.length === 0) return;
    await commits.writeAlong(() => {
      for (const item of batch) remove(item);
    });
    await nextTurn();
  }
}
