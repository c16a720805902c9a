import { setImmediate as nextTurn } from 'node:timers/promises';
import { canNameDirectory } from '../../task/ids.js';
import { OLDEST, type AgeCursor } from '../../store/tasks/kept-tasks.js';
import type { RemovalParts } from './remove-tasks.js';

/** Tasks measured between two writes. */
const BATCH = 64;
/** How many tasks are looked at in one go to find unmeasured ones: about a millisecond. */
const PAGE = 2000;

/**
 * Keeps the sum of the disk space of ended tasks, which a limit on it needs. Each task is measured once, soon after its end
 * and in a worker thread. Tasks that ended without being measured, because there was no limit or a crash came, are found
 * after the start.
 */
export class DiskUsage {
  readonly #pending = new Set<string>();
  #searched: AgeCursor | undefined = OLDEST;

  constructor(private readonly parts: Pick<RemovalParts, 'store' | 'files'>) {}

  /** To be called at every end. */
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
