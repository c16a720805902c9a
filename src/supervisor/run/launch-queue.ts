import type { LaunchSpec } from '../wire/protocol.js';
import type { TaskRun } from './task-run.js';

/** A launch that has not begun. */
export interface QueuedLaunch {
  run: TaskRun;
  /** Arguments and environment may be megabytes: it is let go with the spawn. */
  spec: LaunchSpec;
}

/** Launches wait here, nothing of them made yet, until few enough others are being spawned. */
export class LaunchQueue {
  readonly #atOnce: number;
  readonly #begin: (launches: QueuedLaunch[]) => void;
  readonly #spawning = new Set<TaskRun>();
  readonly #queue: QueuedLaunch[] = [];
  #isDue = false;

  /**
   * @param atOnce how many are spawned at a time.
   * @param begin starts the launches that are next, all that can be in one call.
   */
  constructor(atOnce: number, begin: (launches: QueuedLaunch[]) => void) {
    this.#atOnce = atOnce;
    this.#begin = begin;
  }

  /** Those that come with one message of the socket begin together. */
  add(launch: QueuedLaunch): void {
    this.#queue.push(launch);
    this.#advanceSoon();
  }

  /** Its process exists, or never will. */
  spawned(run: TaskRun): void {
    if (this.#spawning.delete(run) && this.#queue.length > 0) this.#advanceSoon();
  }

  #advanceSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      const next = this.#queue.splice(0, this.#atOnce - this.#spawning.size);
      for (const { run } of next) this.#spawning.add(run);
      if (next.length > 0) this.#begin(next);
    });
  }
}
