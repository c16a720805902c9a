import { setTimeout as delay } from 'node:timers/promises';
import { AskedThread } from '../../binary/asked-thread.js';
import { startWorkerThread } from '../../binary/worker-thread.js';
import type { Usage } from '../../task/view.js';
import type { Figures } from './usage-worker.js';

/** A sample younger than this is served again: many polls cost one reading. */
const FRESH_MS = 500;

/**
 * How long a status waits for a new sample, in milliseconds: a worker that runs answers in 1 to 3. One that has to be started
 * takes 45; in a task's first second the next status will do, later the figures are expected and waited for.
 */
const WAIT_MS = 10;
const LATER_WAIT_MS = 500;

const FIRST_SECOND_MS = 900;

const IDLE_MS = 10_000;
const MAX_AGE_MS = 600_000;

type Sample = Pick<Usage, 'cpu_percent' | 'memory_bytes' | 'processes'>;

interface Entry {
  sample: Sample;
  taken_ms: number;
  pending: Promise<void> | undefined;
}

/**
 * Live CPU and memory of running tasks, over all their processes, read only when somebody asks. pidusage works in a
 * worker thread that is replaced now and then: it forgets to close the descriptor of a process that ends while it is
 * read, and the end of a worker closes what it left open.
 */
export class UsageSampler {
  readonly #entries = new Map<string, Entry>();
  readonly #thread = new AskedThread<number[], Figures[]>({
    start: () => startWorkerThread(new URL('./usage-worker.js', import.meta.url)),
    idleMs: IDLE_MS,
    maxAgeMs: MAX_AGE_MS,
  });

  /**
   * @param pids lists the task's processes now
   * @param runsForMs how long the task has run
   * @returns the newest sample; waits for one that is being taken, but not long
   */
  async read(taskId: string, pids: () => number[], runsForMs: number): Promise<Sample> {
    const entry = this.#entries.get(taskId) ?? { sample: {}, taken_ms: -Infinity, pending: undefined };
    this.#entries.set(taskId, entry);
    if (entry.pending === undefined && performance.now() - entry.taken_ms > FRESH_MS)
      entry.pending = this.#take(entry, pids()).finally(() => {
        entry.pending = undefined;
      });
    if (entry.pending !== undefined) {
      const patience = new AbortController();
      const waitMs = runsForMs < FIRST_SECOND_MS ? WAIT_MS : LATER_WAIT_MS;
      await Promise.race([
        entry.pending,
        delay(waitMs, undefined, { signal: patience.signal }).catch(() => undefined),
      ]);
      patience.abort();
    }
    return entry.sample;
  }

  /** Call when the task has ended. */
  forget(taskId: string): void {
    this.#entries.delete(taskId);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  async #take(entry: Entry, pids: number[]): Promise<void> {
    // No figures are better than no status.
    const figures = pids.length === 0 ? [] : await this.#thread.ask(pids).catch(() => []);
    entry.taken_ms = performance.now();
    entry.sample = {
      cpu_percent: Math.round(figures.reduce((sum, f) => sum + f.cpu, 0) * 10) / 10,
      memory_bytes: figures.reduce((sum, f) => sum + f.memory, 0),
      processes: figures.length,
    };
  }
}
