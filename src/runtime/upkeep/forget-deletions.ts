import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Store } from '../../store/store.js';
import type { TombstonePolicy } from '../../store/tombstones.js';

/** How many are forgotten in one transaction: about a millisecond of the event loop. */
const BATCH = 512;

/** How long it is told which tasks were deleted, and of how many: some 10 MB. */
const DELETIONS_KEPT: TombstonePolicy = { maxAgeMs: 604_800_000, max: 100_000 };

/**
 * Forgets deletions that are too old or too many, in small batches that wait for other writes.
 * @param signal stops after the current batch
 * @throws ExecgoError `insufficient_storage` or `unavailable` when the database cannot be written
 */
export async function forgetDeletions(
  { tombstones, commits }: Pick<Store, 'tombstones' | 'commits'>,
  signal: AbortSignal,
  kept = DELETIONS_KEPT,
): Promise<void> {
  while (!signal.aborted && tombstones.isDue(kept)) {
    await commits.writeAlong(() => tombstones.forget(kept, BATCH));
    await nextTurn();
  }
}
