import type { Worker } from 'node:worker_threads';
import { startWorkerThread } from '../../binary/worker-thread.js';
import type { FileJobs, FileQuestion, FileReply } from './file-worker.js';

/** A worker that was not asked for so long ends: it holds some megabytes. Milliseconds. */
const IDLE_MS = 5000;

interface Waiting {
  resolve: (results: unknown[]) => void;
  reject: (error: Error) => void;
}

/**
 * Work on files that may take long, in a thread of its own: it uses plain synchronous calls, one after another, and
 * holds up neither the event loop nor the thread pool that other file work goes through.
 */
export class FileThread {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #nextId = 0;
  #closed = false;

  /** @param dataDir absolute; no task can lead the way to it elsewhere */
  constructor(private readonly dataDir: string) {}

  /**
   * Does one job for each of `names`, in order.
   * @throws Error when the thread ended before it was done
   */
  ask<J extends keyof FileJobs>(job: J, names: string[]): Promise<FileJobs[J][]> {
    if (names.length === 0) return Promise.resolve([]);
    if (this.#closed) return Promise.reject(new Error('the file thread is closed'));
    const id = this.#nextId++;
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      worker.postMessage({ id, dataDir: this.dataDir, job, names } satisfies FileQuestion);
    });
  }

  /** Ends the thread, also in the middle of a job: what is left of a tree stays in the trash. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = startWorkerThread(new URL('./file-worker.js', import.meta.url));
    worker.on('message', ({ id, results, error }: FileReply) => {
      if (results === undefined) this.#waiting.get(id)?.reject(new Error(error));
      else this.#waiting.get(id)?.resolve(results);
      this.#waiting.delete(id);
      if (this.#waiting.size > 0) return;
      // Waiting for the next question is no reason for the process to live.
      worker.unref();
      if (this.#worker === worker)
        this.#idle = setTimeout(() => {
          this.#worker = undefined;
          void worker.terminate();
        }, IDLE_MS).unref();
    });
    let failure = new Error('the file thread ended');
    worker.on('error', (error: Error) => (failure = error));
    worker.on('exit', () => {
      if (this.#worker !== worker && this.#worker !== undefined) return;
      this.#worker = undefined;
      for (const { reject } of this.#waiting.values()) reject(failure);
      this.#waiting.clear();
    });
    return worker;
  }
}
