import type { Logger } from 'pino';
import type { Store } from '../../store/store.js';

/** Above this the write-ahead log is emptied; SQLite by itself reuses it from about 4 MB on, but never makes it smaller. */
export const WAL_MAX_BYTES = 64 * 1024 * 1024;

/** A thread is started for each try: while somebody is in the way they come so far apart. Milliseconds. */
const PAUSE_MS = 1000;

/**
 * Keeps the write-ahead log small. It grows without bound only while somebody outside of the daemon holds an old view of
 * the database: that is said once, and the log is emptied as soon as they let go.
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
