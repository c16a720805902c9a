import type { LaunchSpec } from '../wire/protocol.js';
import type { TaskRun } from './task-run.js';

/** An attempt that has not begun. */
export interface QueuedAttempt {
  run: TaskRun;
  /** Arguments and environment may be megabytes, so this is dropped after the spawn. */
  spec: LaunchSpec;
}

/** Attempts wait here, without any process or file, until few enough others are being spawned. */
export class AttemptQueue {
  readonly #spawning = new Set<TaskRun>();
  readonly #queue: QueuedAttempt[] = [];
  #isDue = false;

  /**
   * @param atOnce how many are spawned at a time.
   * @param begin starts the attempts that are next, in one call for all of them.
   */
  constructor(
    private readonly atOnce: number,
    private readonly begin: (attempts: QueuedAttempt[]) => void,
  ) {}

  /** Those that come with one message of the socket begin together. */
  add(attempt: QueuedAttempt): void {
    this.#queue.push(attempt);
    this.#advanceSoon();
  }

  /** To be called when the attempt's process exists, or could not be made. */
  spawned(run: TaskRun): void {
    if (this.#spawning.delete(run) && this.#queue.length > 0) this.#advanceSoon();
  }

  #advanceSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      const next = this.#queue.splice(0, this.atOnce - this.#spawning.size);
      for (const { run } of next) this.#spawning.add(run);
      if (next.length > 0) this.begin(next);
    });
  }
}
