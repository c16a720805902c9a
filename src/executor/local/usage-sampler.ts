import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import type { Usage } from '../../task/view.js';
import type { UsageQuestion, UsageReply } from './usage-worker.js';
import { startWorkerThread } from '../../binary/worker-thread.js';

/** A sample younger than this is served again: many polls cost one reading. */
const FRESH_MS = 500;

/**
 * How long a status waits for a new sample, in milliseconds: a worker that runs answers in 1 to 3. One that has to be started
 * takes 45; in a task's first second the next status will do, later the figures are expected and waited for.
 */
const WAIT_MS = 10;
const LATER_WAIT_MS = 500;

const FIRST_SECOND_MS = 900;

/** A worker that was not asked for so long ends; so does one of this age at its next quiet moment. Milliseconds. */
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
  readonly #questions = new Map<number, (figures: UsageReply['figures']) => void>();
  #worker: Worker | undefined;
  #startedMs = 0;
  #nextId = 0;
  #idle: NodeJS.Timeout | undefined;

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

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#worker?.terminate();
  }

  async #take(entry: Entry, pids: number[]): Promise<void> {
    const figures = pids.length === 0 ? [] : await this.#ask(pids);
    entry.taken_ms = performance.now();
    entry.sample = {
      cpu_percent: Math.round(figures.reduce((sum, f) => sum + f.cpu, 0) * 10) / 10,
      memory_bytes: figures.reduce((sum, f) => sum + f.memory, 0),
      processes: figures.length,
    };
  }

  #ask(pids: number[]): Promise<UsageReply['figures']> {
    const id = this.#nextId++;
    const worker = (this.#worker ??= this.#start());
    clearTimeout(this.#idle);
    return new Promise((resolve) => {
      this.#questions.set(id, resolve);
      worker.postMessage({ id, pids } satisfies UsageQuestion);
    });
  }

  #start(): Worker {
    const worker = startWorkerThread(new URL('./usage-worker.js', import.meta.url));
    this.#startedMs = performance.now();
    worker.unref();
    worker.on('message', ({ id, figures }: UsageReply) => {
      this.#answer(id, figures);
      if (this.#questions.size > 0) return;
      clearTimeout(this.#idle);
      const old = performance.now() - this.#startedMs > MAX_AGE_MS;
      this.#idle = setTimeout(() => void worker.terminate(), old ? 0 : IDLE_MS).unref();
    });
    // An 'exit' follows every 'error'; without a listener the error would end the daemon.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const id of [...this.#questions.keys()]) this.#answer(id, []);
    });
    return worker;
  }

  #answer(id: number, figures: UsageReply['figures']): void {
    this.#questions.get(id)?.(figures);
    this.#questions.delete(id);
  }
}
