import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Store } from '../../store/store.js';

/** Keys ended in one transaction: about a millisecond of the event loop. */
const BATCH = 128;

/**
 * Ends the idempotency keys that were first used `maxAgeMs` ago or earlier, some at a time, in no hurry.
 * @param signal stops after the batch under way
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
