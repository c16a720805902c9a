import type Database from 'better-sqlite3';
import type { NOTICE_SOURCES, NOTICE_STATES } from '../task/notification-view.js';
import type { GroupName } from './group-table.js';
import type { CounterTable } from './counters.js';

export type NoticeSource = (typeof NOTICE_SOURCES)[number];
export type NoticeState = (typeof NOTICE_STATES)[number];

/** A message to write down. Times are those of the retention clock, but for {@link created_at_ms}. */
export interface NewNotice {
  /** The same at each attempt, and in no other message anywhere. */
  webhook_id: string;
  task_id: string;
  source: NoticeSource;
  url: string;
  /** Those for one host wait for each other. */
  host: string;
  secret_ref: string | undefined;
  /** That has asked for it; undefined: no group has. */
  group: GroupName | undefined;
  /** JSON. */
  body: string;
  created_at_ms: number;
  due_ms: number;
  expires_ms: number;
}

/** A message that is to be delivered. */
export interface PendingNotice {
  id: number;
  webhook_id: string;
  task_id: string | null;
  url: string;
  secret_ref: string | null;
  body: string;
  /** How often it was tried. */
  attempts: number;
  expires_ms: number;
}

/** What a task shows of one. */
export interface Notice {
  webhook_id: string;
  source: NoticeSource;
  url: string;
  secret_ref: string | null;
  state: NoticeState;
  attempts: number;
  created_at_ms: number;
  due_ms: number | null;
  settled_at_ms: number | null;
  http_status: number | null;
  error: string | null;
}

/** How an attempt has gone. */
export interface NoticeAttempt {
  http_status: number | undefined;
  error: string | undefined;
}

/** The messages that ends have caused, see the migration. What writes is to be called in a transaction. */
export class Outbox {
  readonly #insert: Database.Statement<[Record<string, unknown>]>;
  readonly #hosts: Database.Statement<[], string>;
  readonly #queue: Database.Statement<[string, number], { id: number; due_ms: number }>;
  readonly #pending: Database.Statement<[number], PendingNotice>;
  readonly #expired: Database.Statement<[number, number], number>;
  readonly #putOff: Database.Statement<[Record<string, unknown>]>;
  readonly #settle: Database.Statement<[Record<string, unknown>], { task_id: string | null }>;
  readonly #delete: Database.Statement<[number]>;
  readonly #forget: Database.Statement<[string]>;
  readonly #orphan: Database.Statement<[string]>;
  readonly #ofTask: Database.Statement<[string], Notice>;
  readonly #ofGroup: Database.Statement<[string, string, number], Notice>;
  readonly #more: Database.Statement<[number, string]>;

  constructor(
    db: Database.Database,
    private readonly counters: CounterTable,
  ) {
    this.#insert =
      db.prepare(`INSERT INTO outbox (webhook_id, task_id, source, url, host, secret_ref, body, state, attempts,
        created_at_ms, due_ms, expires_ms, group_tenant, group_name)
      VALUES (@webhook_id, @task_id, @source, @url, @host, @secret_ref, @body, 'pending', 0,
        @created_at_ms, @due_ms, @expires_ms, @group_tenant, @group_name)`);
    this.#hosts = db
      .prepare<[], string>(
        `WITH RECURSIVE found (host) AS (
          SELECT min(host) FROM outbox INDEXED BY idx_outbox_due WHERE state = 'pending'
          UNION ALL
          SELECT (SELECT min(host) FROM outbox INDEXED BY idx_outbox_due WHERE state = 'pending' AND host > found.host)
          FROM found WHERE host IS NOT NULL)
        SELECT host FROM found WHERE host IS NOT NULL`,
      )
      .pluck();
    this.#queue = db.prepare(`SELECT id, due_ms FROM outbox INDEXED BY idx_outbox_due
      WHERE state = 'pending' AND host = ? ORDER BY due_ms LIMIT ?`);
    this.#pending = db.prepare(`SELECT id, webhook_id, task_id, url, secret_ref, body, attempts, expires_ms
      FROM outbox WHERE id = ? AND state = 'pending'`);
    this.#expired = db
      .prepare<[number, number], number>(
        `SELECT id FROM outbox INDEXED BY idx_outbox_expires
        WHERE state = 'pending' AND expires_ms <= ? ORDER BY expires_ms LIMIT ?`,
      )
      .pluck();
    this.#putOff =
      db.prepare(`UPDATE outbox SET attempts = attempts + 1, due_ms = @due_ms, http_status = @http_status,
      error = @error WHERE id = @id AND state = 'pending'`);
    // What is settled keeps what a status shows, and no more.
    this.#settle =
      db.prepare(`UPDATE outbox SET state = @state, attempts = attempts + @tried, settled_at_ms = @at_ms,
        http_status = CASE @tried WHEN 1 THEN @http_status ELSE http_status END,
        error = CASE @tried WHEN 1 THEN @error ELSE coalesce(error, @error) END, body = NULL, due_ms = NULL, expires_ms = NULL
      WHERE id = @id AND state = 'pending' RETURNING task_id`);
    this.#delete = db.prepare('DELETE FROM outbox WHERE id = ?');
    this.#forget = db.prepare("DELETE FROM outbox WHERE task_id = ? AND state <> 'pending'");
    this.#orphan = db.prepare('UPDATE outbox SET task_id = NULL WHERE task_id = ?');
    const shown = `webhook_id, source, url, secret_ref, state, attempts, created_at_ms, due_ms, settled_at_ms, http_status, error`;
    this.#ofTask = db.prepare(`SELECT ${shown} FROM outbox WHERE task_id = ? ORDER BY id`);
    this.#ofGroup = db.prepare(`SELECT ${shown} FROM outbox INDEXED BY idx_outbox_group
      WHERE group_tenant = ? AND group_name = ? ORDER BY id DESC LIMIT ?`);
    this.#more = db.prepare('UPDATE tasks SET notices = notices + ? WHERE task_id = ?');
  }

  insert({ group, secret_ref, ...notice }: NewNotice): void {
    this.#insert.run({
      ...notice,
      secret_ref: secret_ref ?? null,
      group_tenant: group === undefined ? null : (group.tenant ?? ''),
      group_name: group?.group ?? null,
    });
    this.counters.notice('written');
  }

  /** A task whose end is written has so many more of them. */
  more(taskId: string, notices: number): void {
    this.#more.run(notices, taskId);
  }

  /** Hosts for which something is pending. Costs a look for each of them, however much that is. */
  hosts(): string[] {
    return this.#hosts.all();
  }

  /** What is pending for a host, by when it is due. */
  queue(host: string, limit: number): { id: number; due_ms: number }[] {
    return this.#queue.all(host, limit);
  }

  /** Undefined: it is not pending any more. */
  pending(id: number): PendingNotice | undefined {
    return this.#pending.get(id);
  }

  /** Those that are pending for longer than they may. */
  expired(nowMs: number, limit: number): number[] {
    return this.#expired.all(nowMs, limit);
  }

  /** It will be tried again. @param dueMs on the retention clock */
  putOff(id: number, { http_status, error }: NoticeAttempt, dueMs: number): void {
    this.#putOff.run({ id, http_status: http_status ?? null, error: error ?? null, due_ms: dueMs });
  }

  /**
   * It will not be tried again.
   * @param attempt how the last attempt has gone; what is known of an earlier one stays where there was none now
   * @param tried whether that follows an attempt
   * @returns false when it was settled before
   */
  settle(
    id: number,
    state: 'delivered' | 'given_up',
    { http_status, error }: NoticeAttempt,
    { tried, at_ms }: { tried: boolean; at_ms: number },
  ): boolean {
    const settled = this.#settle.get({
      ...{ id, state, at_ms, tried: tried ? 1 : 0 },
      http_status: http_status ?? null,
      error: error ?? null,
    });
    if (settled === undefined) return false;
    this.counters.notice(state);
    if (settled.task_id === null) this.#delete.run(id);
    return true;
  }

  /** Takes away what a task has that is deleted; what is pending stays, and goes once it is settled. */
  forget(taskId: string): void {
    this.#forget.run(taskId);
    this.#orphan.run(taskId);
  }

  /** In the order in which they were written. */
  ofTask(taskId: string): Notice[] {
    return this.#ofTask.all(taskId);
  }

  /** Those about a group, the last first. */
  ofGroup({ tenant, group }: GroupName, limit: number): Notice[] {
    return this.#ofGroup.all(tenant ?? '', group, limit);
  }
}
