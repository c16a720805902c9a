import { AskedThread } from '../../binary/asked-thread.js';
import { startWorkerThread } from '../../binary/worker-thread.js';
import type { FileJobs, FileQuestion } from './file-worker.js';

const IDLE_MS = 5000;

/**
 * Work on files that may take long, in a thread of its own with plain synchronous calls: it blocks neither the event loop
 * nor the thread pool that other file work uses.
 */
export class FileThread {
  readonly #thread = new AskedThread<FileQuestion, unknown[]>({
    start: () => startWorkerThread(new URL('./file-worker.js', import.meta.url)),
    idleMs: IDLE_MS,
  });

  /** @param dataDir absolute; no task can make this path lead elsewhere */
  constructor(private readonly dataDir: string) {}

  /**
   * Does one job for each of `names`, in order.
   * @throws Error when the thread ended before that was done
   */
  async ask<J extends keyof FileJobs>(job: J, names: string[]): Promise<FileJobs[J][]> {
    if (names.length === 0) return [];
    return (await this.#thread.ask({ dataDir: this.dataDir, job, names })) as FileJobs[J][];
  }

  /** Ends the thread, also in the middle of a job: what is left of a tree stays in the trash. */
  close(): Promise<void> {
    return this.#thread.close();
  }
}
