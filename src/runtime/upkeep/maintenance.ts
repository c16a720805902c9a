import type { Logger } from 'pino';
import type { Store } from '../../store/store.js';
import type { Collector } from './collector.js';
import type { DiskUsage } from './disk-usage.js';
import { expireEnds, expireKeys } from './expire.js';
import { forgetDeletions } from './forget-deletions.js';
import { Deadline } from '../../task/deadline.js';
import type { WalKeeper } from './wal-keeper.js';

/** How often the retention clock is written down, in milliseconds: at most this much of it is lost at a reboot. */
const SAVE_CLOCK_MS = 60_000;

export interface MaintenanceOptions {
  store: Store;
  collector: Collector;
  /** Undefined when the policy has no limit on bytes. */
  diskUsage: DiskUsage | undefined;
  /** Ends and evicts the sessions that are due. */
  sessions: (signal: AbortSignal) => Promise<void>;
  wal: WalKeeper;
  /** Done once, before everything else. */
  repair: (signal: AbortSignal) => Promise<unknown>;
  /** Age at which idempotency keys expire. */
  keyRetentionMs: number;
  /** How long it is remembered how removed tasks ended. */
  endRetentionMs: number;
  log: Logger;
  intervalMs: number;
}

/** What a daemon does by itself again and again beside its work, one thing after another. */
export class Maintenance {
  readonly #stop = new AbortController();
  #wake: () => void = () => undefined;
  #running: Promise<void> | undefined;
  #savedAt = -Infinity;
  /** The failures of the last round: they have been logged already. */
  readonly #failing = new Set<string>();

  constructor(private readonly options: MaintenanceOptions) {}

  /** Begins; the first round comes at once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the current round has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { repair, intervalMs } = this.options;
    // Checking all files takes long in a large directory, and nothing waits for it.
    const repaired = this.#guard('the check of the files failed', () => repair(signal));
    while (!signal.aborted) {
      await this.#round(signal);
      await this.#pause(intervalMs);
    }
    await repaired;
    await this.#guard('cannot save the retention clock', () => this.#saveClock());
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { store, collector, diskUsage, wal, keyRetentionMs, endRetentionMs } = this.options;
    await this.#guard('cannot measure ended tasks', () => diskUsage?.update(signal));
    await this.#guard('garbage collection failed', async () => {
      const { removed, bytes_freed, duration_ms } = await collector.pass(signal);
      if (removed > 0) this.options.log.debug({ removed, bytes_freed, duration_ms }, 'garbage collection');
    });
    await this.#guard('cannot end sessions', () => this.options.sessions(signal));
    await this.#guard('cannot end idempotency keys', () => expireKeys(store, keyRetentionMs, signal));
    await this.#guard('cannot forget deletions', () => forgetDeletions(store, signal));
    await this.#guard('cannot forget how tasks ended', () => expireEnds(store, endRetentionMs, signal));
    await this.#guard('cannot empty the write-ahead log', () => wal.check());
    if (performance.now() - this.#savedAt > SAVE_CLOCK_MS)
      await this.#guard('cannot save the retention clock', () => this.#saveClock());
  }

  async #saveClock(): Promise<void> {
    const { store, collector } = this.options;
    await store.commits.write(() => {
      store.kept.saveClock();
      store.kept.savePolicy(collector.policy);
    });
    this.#savedAt = performance.now();
  }

  /** A failure must not end the daemon: the next round tries again. */
  async #guard(failure: string, action: () => unknown): Promise<void> {
    try {
      await action();
      this.#failing.delete(failure);
    } catch (error) {
      if (this.#stop.signal.aborted || this.#failing.has(failure)) return;
      this.#failing.add(failure);
      this.options.log.error({ err: error }, `${failure}; will retry`);
    }
  }

  #pause(ms: number): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const pause = new Deadline(ms, resolve).unref();
      this.#wake = () => {
        pause.cancel();
        resolve();
      };
    });
  }
}
