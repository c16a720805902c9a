import type { Logger } from 'pino';
import type { Store } from '../../store/store.js';

/** A longer write-ahead log is emptied; SQLite by itself reuses it from about 4 MB on, but never makes it smaller. */
export const WAL_MAX_BYTES = 64 * 1024 * 1024;

/** Time between two tries while another process is in the way, in milliseconds: each try starts a thread. */
const PAUSE_MS = 1000;

/**
 * Keeps the write-ahead log small. It grows without bound only while another process holds an old snapshot of the database:
 * that is logged once, and the log is emptied as soon as the process lets go.
 */
export class WalKeeper {
  #blocked = false;
  #triedAt = -Infinity;

  constructor(
    private readonly store: Pick<Store, 'walBytes' | 'emptyLog'>,
    private readonly log: Pick<Logger, 'info' | 'warn'>,
    private readonly maxBytes: number = WAL_MAX_BYTES,
    private readonly pauseMs: number = PAUSE_MS,
  ) {}

  /** To be called now and then. */
  async check(): Promise<void> {
    const bytes = this.store.walBytes();
    if (bytes <= this.maxBytes || performance.now() - this.#triedAt < this.pauseMs) return;
    this.#triedAt = performance.now();
    const emptied = await this.store.emptyLog();
    if (emptied && this.#blocked)
      this.log.info({ wal_bytes: bytes }, 'the write-ahead log could be emptied again');
    if (!emptied && !this.#blocked)
      this.log.warn(
        { wal_bytes: bytes },
        'the write-ahead log grows: another process reads the database and does not let go; it is emptied when that process is done',
      );
    this.#blocked = !emptied;
  }
}
