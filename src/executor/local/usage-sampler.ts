import { setTimeout as delay } from 'node:timers/promises';
import { AskedThread } from '../../binary/asked-thread.js';
import { startWorkerThread } from '../../binary/worker-thread.js';
import type { Usage } from '../../task/view.js';
import type { Figures } from './usage-worker.js';

/** A sample younger than this is used again, so that many polls cost one reading. */
const FRESH_MS = 500;

/**
 * How long a status waits for a new sample, in milliseconds. A running worker answers in 1 to 3; starting one takes 45. In a
 * task's first second a status does not wait for that; later it does, because the figures are expected then.
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
 * Live CPU and memory use of running tasks, summed over their processes, and read only when somebody asks. pidusage runs in
 * a worker thread that is replaced now and then: it does not close the descriptor of a process that ends while it is read,
 * but the end of a worker closes all it has opened.
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
   * @returns the newest sample; waits a short time for one that is being taken
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

  /** To be called when the task has ended. */
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
