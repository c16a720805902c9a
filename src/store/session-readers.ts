import type Database from 'better-sqlite3';
import { ExecgoError } from '../task/errors.js';
import { READERS_MAX } from './read-marks.js';
import type { StoredSession } from './session-row.js';

/** How far a reader has seen a session. */
export interface SessionReader {
  reader: string;
  version: number;
  event_seq: number;
}

/** What holds of a session that a reader has not seen as it is. `@reader` */
export const UNREAD = `NOT EXISTS (SELECT 1 FROM session_readers AS mark
  WHERE mark.session_seq = sessions.session_seq AND mark.reader = @reader
  AND mark.version >= sessions.version AND mark.event_seq >= sessions.last_event_seq)`;

/** How far readers have seen sessions. The marks of a session go with it. */
export class SessionReaders {
  readonly #of: Database.Statement<[number], SessionReader>;
  readonly #set: Database.Statement<[Record<string, unknown>]>;
  readonly #others: Database.Statement<[number, string], number>;

  constructor(db: Database.Database) {
    this.#of = db.prepare(
      'SELECT reader, version, event_seq FROM session_readers WHERE session_seq = ? ORDER BY reader',
    );
    this.#set = db.prepare(`INSERT INTO session_readers (session_seq, reader, version, event_seq)
      VALUES (@session_seq, @reader, @version, @event_seq)
      ON CONFLICT (session_seq, reader) DO UPDATE SET version = excluded.version, event_seq = excluded.event_seq`);
    this.#others = db
      .prepare<[number, string], number>(
        'SELECT count(*) FROM session_readers WHERE session_seq = ? AND reader <> ?',
      )
      .pluck();
  }

  /** By name. */
  of(sessionSeq: number): SessionReader[] {
    return this.#of.all(sessionSeq);
  }

  /**
   * To be called in a transaction.
   * @throws ExecgoError `resource_limit_exceeded` when the session has as many readers as it may
   */
  set({ session_seq, session_id }: StoredSession, mark: SessionReader): void {
    if ((this.#others.get(session_seq, mark.reader) ?? 0) >= READERS_MAX)
      throw new ExecgoError(
        'resource_limit_exceeded',
        `session ${session_id} has ${READERS_MAX} readers already: no other can mark it`,
        { bound: 'readers', limit: READERS_MAX },
      );
    this.#set.run({ session_seq, ...mark });
  }
}
