import { setImmediate as nextTurn } from 'node:timers/promises';
import { canNameDirectory } from '../../task/ids.js';
import { OLDEST, type AgeCursor } from '../../store/tasks/kept-tasks.js';
import type { RemovalParts } from './remove-tasks.js';

/** Tasks measured between two writes. */
const BATCH = 64;
/** Tasks looked at in one go in search of those that were not measured: about a millisecond. */
const PAGE = 2000;

/**
 * Keeps the sum of what ended tasks take on disk, which a bound on it needs: each is measured once, soon after its end
 * and away from the event loop. Those that ended unmeasured, without a bound or before a crash, are found after the start.
 */
export class DiskUsage {
  readonly #pending = new Set<string>();
  #searched: AgeCursor | undefined = OLDEST;

  constructor(private readonly parts: Pick<RemovalParts, 'store' | 'files'>) {}

  /** To be told of every end. */
  ended(taskId: string): void {
    this.#pending.add(taskId);
  }

  /** Measures what has ended since; goes on with the search for unmeasured tasks until it is done. */
  async update(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      while (this.#searched !== undefined && this.#pending.size < BATCH) {
        const { taskIds, next } = this.parts.store.kept.unmeasured(this.#searched, PAGE);
        for (const id of taskIds) this.#pending.add(id);
        this.#searched = next;
        await nextTurn();
      }
      const batch = [...this.#pending].slice(0, BATCH);
      if (batch.length === 0) return;
      for (const id of batch) this.#pending.delete(id);
      await this.#measure(batch);
    }
  }

  async #measure(taskIds: readonly string[]): Promise<void> {
    const { store, files } = this.parts;
    const known = taskIds.filter(canNameDirectory);
    const bytes = await files.ask('measure', known);
    await store.commits.writeAlong(() => {
      known.forEach((id, i) => {
        store.kept.setDiskBytes(id, bytes[i] ?? 0);
      });
    });
  }
}
