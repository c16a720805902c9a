import type Database from 'better-sqlite3';
import { jsonOrNull } from './database/json.js';
import { isPlainObject } from '../task/plain-object.js';
import type { QueueRule } from '../task/queues.js';
import { defaultLimitsSchema } from '../task/request.js';
import { RowReader } from './row-reader.js';
import { areLimits, areNotifies } from './stored-shapes.js';

/** The rule of a queue as it is stored. Times are Unix milliseconds. */
export interface StoredRule {
  queue: string;
  rule: QueueRule;
  /** No other rule of any queue has it, nor ever had. */
  version: number;
  /** Names of what cannot be read in its row, and does not hold. */
  unreadable: string[];
}

interface Row extends Record<string, unknown> {
  name: string;
}

/** The rules that operators have set for queues. */
export class QueueTable {
  readonly #all: Database.Statement<[], Row>;
  readonly #put: Database.Statement<[Record<string, unknown>], Row>;
  readonly #delete: Database.Statement<[string]>;

  constructor(db: Database.Database) {
    const version = '(SELECT version FROM queues WHERE name = @name)';
    this.#all = db.prepare('SELECT * FROM queues ORDER BY version');
    this.#put = db.prepare(`INSERT OR REPLACE INTO queues
      (name, max_running, max_waiting, paused, priority, default_limits, lanes, notify, created_at_ms, updated_at_ms)
      SELECT @name, @max_running, @max_waiting, @paused, @priority, @default_limits, @lanes, @notify,
        coalesce((SELECT created_at_ms FROM queues WHERE name = @name), @at_ms), @at_ms
      WHERE @if_version IS NULL OR @if_version = coalesce(${version}, 0)
      RETURNING *`);
    this.#delete = db.prepare('DELETE FROM queues WHERE name = ?');
  }

  all(): StoredRule[] {
    return this.#all.all().map(read);
  }

  /**
   * Sets the rule of a queue, in the place of the one that it has.
   * @param ifVersion the version that it must have, 0 for none; undefined: whichever
   * @returns undefined when it has another version; then nothing is written
   */
  put(
    name: string,
    { paused, default_limits, lanes, max_running, max_waiting, priority, notify }: QueueRule,
    atMs: number,
    ifVersion: number | undefined,
  ): StoredRule | undefined {
    const row = this.#put.get({
      name,
      max_running: max_running ?? null,
      max_waiting: max_waiting ?? null,
      paused: paused ? 1 : 0,
      priority,
      default_limits: JSON.stringify(default_limits),
      lanes: JSON.stringify(lanes),
      notify: jsonOrNull(notify),
      at_ms: atMs,
      if_version: ifVersion ?? null,
    });
    return row && read(row);
  }

  /** False: the queue has no rule. */
  delete(name: string): boolean {
    return this.#delete.run(name).changes === 1;
  }
}

function read(row: Row): StoredRule {
  const reader = new RowReader();
  const whole = (name: string, min?: number) => reader.whole(name, row[name], min) ?? undefined;
  const rule: QueueRule = {
    max_running: whole('max_running', 0),
    max_waiting: whole('max_waiting', 0),
    paused: row['paused'] === 1,
    priority: whole('priority') ?? 0,
    default_limits: reader.json('default_limits', row['default_limits'], areDefaults) ?? {},
    lanes: reader.json('lanes', row['lanes'], areLanes) ?? {},
    notify: reader.json('notify', row['notify'], areNotifies) ?? undefined,
  };
  return { queue: row.name, rule, version: whole('version') ?? 0, unreadable: reader.unreadable };
}

const isAmount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

function areDefaults(value: unknown): value is QueueRule['default_limits'] {
  return isPlainObject(value) && areLimits(value) && defaultLimitsSchema.safeParse(value).success;
}

function areLanes(value: unknown): value is QueueRule['lanes'] {
  return (
    isPlainObject(value) &&
    Object.values(value).every((lane) => isPlainObject(lane) && isAmount(lane.max_running))
  );
}
