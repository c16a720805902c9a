import type Database from 'better-sqlite3';
import type { SessionTree } from '../task/session-storage.js';

/** What was found in a workspace. Times are Unix milliseconds. */
export interface MeasuredStorage extends SessionTree {
  measured_at_ms: number;
  /** What the session's `changes` were before it was looked at. */
  changes: number;
}

/** What was found in the workspaces of sessions. Its rows go with those of the sessions. */
export class SessionStorageTable {
  readonly #one: Database.Statement<[number], Omit<MeasuredStorage, 'digest'> & { digest: string | null }>;
  readonly #save: Database.Statement<[Record<string, unknown>]>;

  constructor(db: Database.Database) {
    this.#one =
      db.prepare(`SELECT files, directories, others, bytes, disk_bytes, digest, measured_at_ms, changes
      FROM session_storage WHERE session_seq = ?`);
    this.#save = db.prepare(`INSERT OR REPLACE INTO session_storage
        (session_seq, files, directories, others, bytes, disk_bytes, digest, measured_at_ms, changes)
      SELECT session_seq, @files, @directories, @others, @bytes, @disk_bytes, @digest, @measured_at_ms, @changes
      FROM sessions WHERE session_seq = @session_seq AND state <> 'evicted'`);
  }

  /** Undefined: nobody has looked yet. */
  of(sessionSeq: number): MeasuredStorage | undefined {
    const row = this.#one.get(sessionSeq);
    return row && { ...row, digest: row.digest ?? undefined };
  }

  /** To be called in a transaction. False: the session is gone or evicted. */
  save(sessionSeq: number, found: MeasuredStorage): boolean {
    const values = { ...found, digest: found.digest ?? null, session_seq: sessionSeq };
    return this.#save.run(values).changes === 1;
  }
}
