import type Database from 'better-sqlite3';
import type { NewSession, SessionQuery } from '../task/sessions.js';
import type { TerminalStatus } from '../task/states.js';
import { invalidInput } from '../task/errors.js';
import type { RetentionClock } from './retention-clock.js';
import { readSession, type SessionReason, type SessionRow, type StoredSession } from './session-row.js';
import { SessionReaders, UNREAD } from './session-readers.js';
import { SessionStorageTable } from './session-storage-table.js';

export type { SessionReason, StoredSession } from './session-row.js';

/** What is said of a session; `expires_at_ms` in Unix time, `due_ms` the same on the retention clock. */
export type SessionWords = Pick<
  StoredSession,
  'title' | 'metadata' | 'concurrency' | 'expires_at_ms' | 'due_ms'
>;

const BY_STATE = {
  idle: "state = 'open' AND submitted <= success + failed + cancelled",
  running: "state = 'open' AND submitted > success + failed + cancelled",
  ended: "state = 'ended'",
  evicted: "state = 'evicted'",
} as const;
const NOT_EVICTED = "state IN ('open', 'ended')";
/** None of its tasks waits or runs. */
const IS_FREE = 'submitted <= success + failed + cancelled';

/** Sessions. Methods that write are to be called in a transaction, as those of the store. */
export class SessionTable {
  /** What was found in their workspaces. */
  readonly storage: SessionStorageTable;
  /** What readers have seen. */
  readonly readers: SessionReaders;
  readonly #one: Database.Statement<[string], SessionRow>;
  readonly #concurrency: Database.Statement<[string], number>;
  readonly #insert: Database.Statement<[Record<string, unknown>], SessionRow>;
  readonly #edit: Database.Statement<[Record<string, unknown>], SessionRow>;
  readonly #end: Database.Statement<[Record<string, unknown>], SessionRow>;
  readonly #evict: Database.Statement<[Record<string, unknown>], SessionRow>;
  readonly #delete: Database.Statement<[string]>;
  readonly #submitted: Database.Statement<[Record<string, unknown>]>;
  readonly #changed: Database.Statement<[Record<string, unknown>]>;
  readonly #touched: Database.Statement<[Record<string, unknown>]>;
  readonly #count: Database.Statement<[], number>;
  readonly #expired: Database.Statement<[number, number], string>;
  readonly #idle: Database.Statement<[string, number, number], string>;
  readonly #removals: Database.Statement<[number], string>;
  readonly #firstTask: Database.Statement<[string, number], number | null>;
  readonly #ending: Database.Statement<[], string>;
  readonly #ids: Database.Statement<[number, number], { session_seq: number; session_id: string }>;
  readonly #pages = new Map<string, Database.Statement<[Record<string, unknown>], SessionRow>>();

  /** @param clock for what expires */
  constructor(
    private readonly db: Database.Database,
    private readonly clock: RetentionClock,
  ) {
    this.storage = new SessionStorageTable(db);
    this.readers = new SessionReaders(db);
    this.#one = db.prepare('SELECT * FROM sessions WHERE session_id = ?');
    this.#concurrency = db
      .prepare<[string], number>('SELECT concurrency FROM sessions WHERE session_id = ?')
      .pluck();
    this.#insert =
      db.prepare(`INSERT INTO sessions (session_id, tenant, owner, title, metadata, concurrency, state, version,
        created_at_ms, updated_at_ms, activity_at_ms, expires_at_ms, due_ms, ages_from_ms, born_seq)
      VALUES (@session_id, @tenant, @owner, @title, @metadata, @concurrency, 'open', 1,
        @at_ms, @at_ms, @at_ms, @expires_at_ms, @due_ms, @clock_ms,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'task_events'), 0))
      ON CONFLICT DO NOTHING RETURNING *`);
    this.#edit =
      db.prepare(`UPDATE sessions SET title = @title, metadata = @metadata, concurrency = @concurrency,
        expires_at_ms = @expires_at_ms, due_ms = @due_ms, version = version + 1, updated_at_ms = @at_ms
      WHERE session_id = @session_id AND version = @from_version AND ${NOT_EVICTED} RETURNING *`);
    this.#end =
      db.prepare(`UPDATE sessions SET state = 'ended', reason = @reason, ended_at_ms = coalesce(ended_at_ms, @at_ms),
        removal = max(removal, @removal), version = version + 1, updated_at_ms = @at_ms
      WHERE session_id = @session_id AND (state = 'open' OR (state = 'ended' AND removal < @removal)) RETURNING *`);
    this.#evict = db.prepare(`UPDATE sessions SET state = 'evicted', reason = coalesce(reason, @reason),
        ended_at_ms = coalesce(ended_at_ms, @at_ms), evicted_at_ms = @at_ms, ages_from_ms = @clock_ms,
        removal = max(removal, @removal), version = version + 1, updated_at_ms = @at_ms
      WHERE session_id = @session_id AND ${NOT_EVICTED} AND ${IS_FREE} RETURNING *`);
    this.#delete = db.prepare("DELETE FROM sessions WHERE session_id = ? AND state = 'evicted'");
    const active = 'activity_at_ms = @at_ms, ages_from_ms = @clock_ms, changes = changes + 1';
    this.#submitted =
      db.prepare(`UPDATE sessions SET submitted = submitted + 1, last_task_id = @task_id, last_event_seq = @seq, ${active}
      WHERE session_id = @session_id AND tenant IS @tenant AND state = 'open' AND (due_ms IS NULL OR due_ms > @clock_ms)`);
    this.#changed = db.prepare(`UPDATE sessions SET success = success + @success, failed = failed + @failed,
        cancelled = cancelled + @cancelled, last_event_seq = max(last_event_seq, @seq), ${active}
      WHERE session_id = @session_id AND ${NOT_EVICTED}`);
    this.#touched = db.prepare(
      `UPDATE sessions SET ${active} WHERE session_id = @session_id AND ${NOT_EVICTED}`,
    );
    this.#count = db.prepare<[], number>(`SELECT count(*) FROM sessions WHERE ${NOT_EVICTED}`).pluck();
    this.#expired = db
      .prepare<[number, number], string>(
        `SELECT session_id FROM sessions INDEXED BY idx_sessions_due
         WHERE due_ms IS NOT NULL AND state <> 'evicted' AND due_ms <= ? AND (state = 'open' OR ${IS_FREE}) ORDER BY due_ms LIMIT ?`,
      )
      .pluck();
    this.#idle = db
      .prepare<[string, number, number], string>(
        `SELECT session_id FROM sessions INDEXED BY idx_sessions_ages
         WHERE state = ? AND ages_from_ms <= ? AND ${IS_FREE} ORDER BY ages_from_ms LIMIT ?`,
      )
      .pluck();
    this.#removals = db
      .prepare<[number], string>(
        `SELECT session_id FROM sessions INDEXED BY idx_sessions_removal WHERE removal = 1 AND ${IS_FREE}
         ORDER BY session_seq LIMIT ?`,
      )
      .pluck();
    this.#firstTask = db
      .prepare<[string, number], number | null>(
        'SELECT min(submit_seq) FROM tasks INDEXED BY idx_tasks_session WHERE session_id = ? AND submit_seq > ?',
      )
      .pluck();
    this.#ids = db.prepare(
      `SELECT session_seq, session_id FROM sessions WHERE session_seq > ? AND ${NOT_EVICTED} ORDER BY session_seq LIMIT ?`,
    );
    this.#ending = db
      .prepare<[], string>(
        'SELECT session_id FROM sessions INDEXED BY idx_sessions_removal WHERE removal = 1',
      )
      .pluck();
  }

  of(sessionId: string): StoredSession | undefined {
    const row = this.#one.get(sessionId);
    return row && readSession(row);
  }

  /** How many of its tasks may run at once; undefined for an unknown session. */
  concurrencyOf(sessionId: string): number | undefined {
    return this.#concurrency.get(sessionId);
  }

  /** The first event of the first of its tasks that is still there; undefined: there is none. */
  firstSeqOf({ session_id, born_seq }: StoredSession): number | undefined {
    return this.#firstTask.get(session_id, born_seq) ?? undefined;
  }

  /** How many there are that are not evicted. */
  count(): number {
    return this.#count.get() ?? 0;
  }

  /** Undefined: there is one with this id, or was, and that is still known. */
  insert(
    session: Required<Pick<NewSession, 'session_id' | 'tenant' | 'owner'>> & SessionWords,
    atMs: number,
  ): StoredSession | undefined {
    const { session_id, tenant, owner } = session;
    const row = this.#insert.get({
      ...wordsOf(session),
      ...{ session_id, tenant: tenant ?? null, owner: owner ?? null },
      ...{ at_ms: atMs, clock_ms: this.clock.now() },
    });
    return row && readSession(row);
  }

  /** Undefined: it has another version by now, or is evicted. */
  edit({ session_id, version }: StoredSession, words: SessionWords, atMs: number): StoredSession | undefined {
    const row = this.#edit.get({ ...wordsOf(words), session_id, from_version: version, at_ms: atMs });
    return row && readSession(row);
  }

  /**
   * It takes no more tasks. Undefined: so it was before, and what is asked is no more than that.
   * @param reason `deleted`: it is to go with the last of its tasks
   */
  end(sessionId: string, reason: SessionReason, atMs: number): StoredSession | undefined {
    const row = this.#end.get({
      session_id: sessionId,
      reason,
      removal: reason === 'deleted' ? 1 : 0,
      at_ms: atMs,
    });
    return row && readSession(row);
  }

  /** Its files are to go, and only the word stays. Undefined: it has tasks, is evicted already, or unknown. */
  evict(sessionId: string, reason: SessionReason, atMs: number): StoredSession | undefined {
    const removal = reason === 'deleted' ? 1 : 0;
    const row = this.#evict.get({
      session_id: sessionId,
      reason,
      removal,
      at_ms: atMs,
      clock_ms: this.clock.now(),
    });
    return row && readSession(row);
  }

  /** Forgets a session that is evicted. False: it is not. */
  delete(sessionId: string): boolean {
    return this.#delete.run(sessionId).changes === 1;
  }

  /** A task of a session was written down. False: no session of this tenant with this id takes tasks. */
  submitted(
    sessionId: string,
    tenant: string | undefined,
    taskId: string,
    seq: number,
    atMs: number,
  ): boolean {
    const values = { session_id: sessionId, tenant: tenant ?? null, task_id: taskId, seq, at_ms: atMs };
    return this.#submitted.run({ ...values, clock_ms: this.clock.now() }).changes === 1;
  }

  /** Something happened to a task of a session. @param end how it has ended, if it has */
  changed(sessionId: string, seq: number, atMs: number, end?: TerminalStatus): void {
    const ended = { success: 0, failed: 0, cancelled: 0 };
    if (end !== undefined) ended[end] = 1;
    this.#changed.run({ session_id: sessionId, seq, at_ms: atMs, clock_ms: this.clock.now(), ...ended });
  }

  /** Somebody has used its files. */
  touched(sessionId: string, atMs: number): void {
    this.#touched.run({ session_id: sessionId, at_ms: atMs, clock_ms: this.clock.now() });
  }

  /** Ids of sessions that have expired and are not evicted, those that did first. */
  expired(limit: number): string[] {
    return this.#expired.all(this.clock.now(), limit);
  }

  /** Ids of sessions without tasks in which nothing was done for so long. @param state `evicted`: that have been so for so long */
  idle(state: StoredSession['state'], forMs: number, limit: number): string[] {
    return this.#idle.all(state, this.clock.now() - forMs, limit);
  }

  /** Ids of sessions that are to be deleted, and have no tasks any more. */
  removals(limit: number): string[] {
    return this.#removals.all(limit);
  }

  /** Ids of all sessions that are to be deleted. */
  beingDeleted(): string[] {
    return this.#ending.all();
  }

  /** A page of those that are not evicted: those after one. */
  notEvicted(afterSeq: number, limit: number): { session_seq: number; session_id: string }[] {
    return this.#ids.all(afterSeq, limit);
  }

  /** The newest first. @throws ExecgoError `invalid_input` for a cursor that no page had */
  page({ tenant, owner, state, unread_by, limit, cursor }: SessionQuery): {
    sessions: StoredSession[];
    next_cursor: string | undefined;
  } {
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor);
    if (!Number.isSafeInteger(before) || before < 1)
      throw invalidInput('cursor: must be one that a page has told');
    const conditions = [
      'session_seq < @before',
      ...(tenant === undefined ? [] : ['tenant = @tenant']),
      ...(owner === undefined ? [] : ['owner = @owner']),
      ...(state === undefined ? [] : [BY_STATE[state]]),
      ...(unread_by === undefined ? [] : [UNREAD]),
    ].join(' AND ');
    let statement = this.#pages.get(conditions);
    if (statement === undefined) {
      statement = this.db.prepare(
        `SELECT * FROM sessions WHERE ${conditions} ORDER BY session_seq DESC LIMIT @limit`,
      );
      this.#pages.set(conditions, statement);
    }
    const rows = statement.all({ before, tenant, owner, reader: unread_by, limit: limit + 1 });
    const shown = rows.slice(0, limit);
    const next_cursor = rows.length > limit ? String(shown.at(-1)?.session_seq ?? '') : undefined;
    return { sessions: shown.map(readSession), next_cursor };
  }
}

function wordsOf({ title, metadata, concurrency, expires_at_ms, due_ms }: SessionWords) {
  return {
    title: title ?? null,
    metadata: JSON.stringify(metadata),
    concurrency,
    expires_at_ms: expires_at_ms ?? null,
    due_ms: due_ms ?? null,
  };
}
