import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Store } from '../../store/store.js';

/** How many keys are deleted in one transaction: about a millisecond of the event loop. */
const BATCH = 128;

/**
 * Deletes idempotency keys that were first used `maxAgeMs` ago or earlier, in small batches that wait for other writes.
 * @param signal stops after the current batch
 * @throws ExecgoError `insufficient_storage` or `unavailable` when the database cannot be written
 */
export async function expireKeys(
  { keys, commits }: Pick<Store, 'keys' | 'commits'>,
  maxAgeMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const due = keys.olderThan(maxAgeMs, BATCH);
    if (due.length === 0) return;
    await commits.writeAlong(() => {
      for (const key of due) keys.delete(key);
    });
    await nextTurn();
  }
}
