import type Database from 'better-sqlite3';
import type { GroupNotify } from '../task/notify.js';
import type { NewEvent } from '../task/events.js';
import type { TaskRequest } from '../task/request.js';
import type { TerminalStatus } from '../task/states.js';
import { jsonOrNull, parseJson } from './database/json.js';
import { areGroupNotifies } from './stored-shapes.js';

/** A group of tasks, of one tenant. */
export interface GroupName {
  tenant: string | undefined;
  group: string;
}

/** How many tasks of a group there are. */
interface GroupRow {
  /** Those that have not ended. */
  live: number;
  success: number;
  failed: number;
  cancelled: number;
  /** Those that have ended, and in whose place another has come. */
  retried: number;
  /** How many of those that failed do not stop it. */
  excused: number;
  /** With so many failures the rest is stopped. */
  max_failures: number | null;
  /** Whose tasks that stops, beside those without an owner: the owner of the task that said it. */
  owner: string | null;
  /** Whom it tells when it is done, as JSON. */
  notify: string | null;
  /** The owner of the task that said so, if it has one. */
  notify_owner: string | null;
}

/** What the row of a task says of where it belongs. An older database may hold anything there. */
interface Belonging {
  tenant: unknown;
  group_name: unknown;
}

/** How a task ended, as far as its group is concerned. */
interface GroupEnd {
  status: TerminalStatus;
  finished_at_ms: number;
}

/** What a new task says of its group. */
interface GroupRule {
  max_failures: number | undefined;
  owner: string | undefined;
  notify: GroupNotify[] | undefined;
}

const COLUMNS =
  'live, success, failed, cancelled, retried, excused, max_failures, owner, notify, notify_owner';
/** What one owner has said for the group, no other replaces. */
const KEEPS_BOUND =
  'excluded.max_failures IS NULL OR (max_failures IS NOT NULL AND owner IS NOT NULL AND owner IS NOT excluded.owner)';
const KEEPS_NOTIFY =
  'excluded.notify IS NULL OR (notify IS NOT NULL AND notify_owner IS NOT NULL AND notify_owner IS NOT excluded.notify_owner)';
const ENDS = ['success', 'failed', 'cancelled'] as const;

/** Counts of the tasks of groups, changed in the transactions that make, end and delete tasks. */
export class GroupTable {
  readonly #enter: Database.Statement<[Record<string, string | number | null>]>;
  readonly #end: Record<TerminalStatus, Database.Statement<[string, string], GroupRow>>;
  readonly #delete: Record<TerminalStatus | 'retried', Database.Statement<[string, string]>>;
  readonly #retry: Record<TerminalStatus, Database.Statement<[string, string]>>;
  readonly #forget: Database.Statement<[string, string]>;
  readonly #of: Database.Statement<[string, string], GroupRow>;
  readonly #names: Database.Statement<[string, string, number], string>;
  readonly #failures: Database.Statement<[string, string | null, number], string>;

  constructor(db: Database.Database) {
    const where = 'WHERE tenant = ? AND name = ?';
    this.#enter =
      db.prepare(`INSERT INTO groups (tenant, name, live, max_failures, owner, notify, notify_owner)
      VALUES (@tenant, @name, 1, @max_failures, @owner, @notify, @owner)
      ON CONFLICT (tenant, name) DO UPDATE SET live = live + 1,
        owner = CASE WHEN ${KEEPS_BOUND} THEN owner ELSE excluded.owner END,
        max_failures = CASE WHEN ${KEEPS_BOUND} THEN max_failures ELSE excluded.max_failures END,
        notify_owner = CASE WHEN ${KEEPS_NOTIFY} THEN notify_owner ELSE excluded.notify_owner END,
        notify = CASE WHEN ${KEEPS_NOTIFY} THEN notify ELSE excluded.notify END`);
    const each = <T>(make: (status: TerminalStatus) => T) =>
      Object.fromEntries(ENDS.map((status) => [status, make(status)])) as Record<TerminalStatus, T>;
    this.#end = each((status) =>
      db.prepare(
        `UPDATE groups SET live = live - 1, ${status} = ${status} + 1 ${where} RETURNING ${COLUMNS}`,
      ),
    );
    const left = (status: TerminalStatus) => `failed - ${status === 'failed' ? 1 : 0}`;
    this.#delete = {
      ...each((status) =>
        db.prepare(
          `UPDATE groups SET ${status} = ${status} - 1, excused = min(excused, ${left(status)}) ${where}`,
        ),
      ),
      retried: db.prepare(`UPDATE groups SET retried = retried - 1 ${where}`),
    };
    this.#retry = each((status) =>
      db.prepare(`UPDATE groups SET ${status} = ${status} - 1, retried = retried + 1,
        excused = CASE WHEN failed - excused >= max_failures THEN ${left(status)} ELSE min(excused, ${left(status)}) END
        ${where}`),
    );
    this.#forget = db.prepare(
      `DELETE FROM groups ${where} AND live + success + failed + cancelled + retried <= 0`,
    );
    this.#of = db.prepare(`SELECT ${COLUMNS} FROM groups ${where}`);
    this.#names = db
      .prepare<[string, string, number], string>(
        'SELECT name FROM groups WHERE tenant = ? AND name > ? ORDER BY name LIMIT ?',
      )
      .pluck();
    this.#failures = db
      .prepare<[string, string | null, number], string>(
        `SELECT task_id FROM tasks INDEXED BY idx_tasks_group_failed
        WHERE group_name = ? AND tenant IS ? AND status = 'failed' AND retried_as IS NULL
        ORDER BY finished_at_ms LIMIT ?`,
      )
      .pluck();
  }

  /** To be called in the transaction that makes a task. */
  entered({ tenant, group }: GroupName, { max_failures, owner, notify }: GroupRule): void {
    this.#enter.run({
      tenant: tenant ?? '',
      name: group,
      max_failures: max_failures ?? null,
      owner: owner ?? null,
      notify: jsonOrNull(notify),
    });
  }

  /**
   * To be called in the transaction that ends a task, with what its row says of where it belongs.
   * @returns the event that its group is done, if this was the last of it
   */
  ended({ tenant, group_name: group }: Belonging, { status, finished_at_ms }: GroupEnd): NewEvent[] {
    const row = typeof group === 'string' ? this.#end[status].get(keyOf(tenant), group) : undefined;
    if (row === undefined || row.live > 0) return [];
    const { success, failed, cancelled } = row;
    const data = { group, success, failed, cancelled };
    return [{ event_type: 'group_done', timestamp_ms: finished_at_ms, data }];
  }

  /**
   * To be called in the transaction in which another task comes in the place of one that has ended: what has failed until then
   * stops the group no more.
   */
  retried(tenant: unknown, group: unknown, status: TerminalStatus): void {
    if (typeof group === 'string') this.#retry[status].run(keyOf(tenant), group);
  }

  /** To be called in the transaction that deletes a task. @param status `retried`: another has come in its place */
  deleted({ tenant, group_name: group }: Belonging, status: TerminalStatus | 'retried'): void {
    if (typeof group !== 'string') return;
    this.#delete[status].run(keyOf(tenant), group);
    this.#forget.run(keyOf(tenant), group);
  }

  /** Undefined for a group that has no task. */
  of({ tenant, group }: GroupName): GroupRow | undefined {
    return this.#of.get(tenant ?? '', group);
  }

  /** Groups of a tenant, those after `after` in the order of the bytes of their names. */
  names(tenant: string | undefined, after: string, limit: number): string[] {
    return this.#names.all(tenant ?? '', after, limit);
  }

  /** Ids of the tasks of a group that failed first. */
  failures({ tenant, group }: GroupName, limit: number): string[] {
    return this.#failures.all(group, tenant ?? null, limit);
  }
}

/** True when so many tasks of a group have failed that the rest is to be stopped. */
export function isStopped({
  failed,
  excused,
  max_failures,
}: Pick<GroupRow, 'failed' | 'excused' | 'max_failures'>): boolean {
  return max_failures !== null && failed - excused >= max_failures;
}

/** The group of a task; undefined for one that has none. */
export function groupNameOf({ control_context: context }: TaskRequest): GroupName | undefined {
  return context?.group === undefined ? undefined : { tenant: context.tenant, group: context.group };
}

/** Whom a group tells when it is done; undefined: no task has said so. What nobody can read is nobody. */
export function notifiesOf({ notify }: Pick<GroupRow, 'notify'>): GroupNotify[] | undefined {
  if (notify === null) return undefined;
  const list = parseJson(notify);
  return areGroupNotifies(list) ? list : [];
}

const keyOf = (tenant: unknown) => (typeof tenant === 'string' ? tenant : '');
