import { setImmediate as nextTurn } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import { invalidInput } from '../../task/errors.js';
import type { ListQuery } from '../../task/list.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import type { TaskListPage } from '../records.js';
import { TASK_COLUMNS, toRecord, type TaskRow } from './task-row.js';

/** How many rows may be read for one page in search of those that pass its filters; then it ends with a cursor. */
export const MAX_ROWS_READ = 10_000;

/** How many bytes of requests may be read for one page; with large scripts this ends a search earlier. */
export const MAX_BYTES_READ = 67_108_864;

/**
 * How much a search reads in one turn of the event loop: the filters take some microseconds a row, and up to 20 ms per MiB
 * of scripts.
 */
const SLICE_ROWS = 500;
const SLICE_BYTES = 262_144;

/** How many bytes of requests a page may load: a few huge ones end it early, with a cursor. */
const MAX_PAGE_BYTES = 8_388_608;

/** How many prepared statements are kept: clients can combine filters in thousands of ways. */
const STATEMENTS_MAX = 64;

/** A row of the older runtime has the parts of its request in columns of their own. */
const byWhoWrote = (older: string, part: string, ours: string) => `CASE
  WHEN request_json IS NULL THEN CASE WHEN json_valid(${part}) THEN ${older} END
  WHEN json_valid(request_json) THEN ${ours} END`;

const CONTEXT = byWhoWrote(
  'control_context_json',
  'control_context_json',
  `request_json -> '$.control_context'`,
);

/** @param at where the execution is in that JSON */
const commandIn = (json: string, at: string) => `coalesce(json_extract(${json}, '${at}.program'),
  json_extract(${json}, '${at}.script'), '') || ' ' ||
  coalesce((SELECT group_concat(value, ' ') FROM json_each(${json}, '${at}.args')), '')`;
const COMMAND = byWhoWrote(
  commandIn('execution_json', '$'),
  'execution_json',
  commandIn('request_json', '$.execution'),
);

/**
 * The bytes of a row that its client chose, as far as filters read them. SQLite knows lengths from a row's header, without
 * reading the values.
 */
const REQUEST_BYTES = `octet_length(execution_json) + coalesce(octet_length(control_context_json), 0) +
  octet_length(metadata_json) + coalesce(octet_length(request_json), 0)`;

interface Condition {
  sql: string;
  values: unknown[];
}

/** One way to read the table in the order of submission. */
interface Arm {
  index: string;
  condition?: Condition;
}

/** Where a query reads, and which rows pass. */
interface Shape {
  arms: Arm[];
  filters: Condition[];
}

/** Pages of tasks, in the order of submission. A page costs the same wherever in the history it is. */
export class TaskList {
  readonly #statements = new LRUCache<string, Database.Statement>({
    max: STATEMENTS_MAX,
    memoMethod: (sql) => this.db.prepare(sql),
  });

  /** The number of searches in progress, and the turn that the last of them waits for. */
  #searches = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(private readonly db: Database.Database) {}

  /**
   * @param signal ends a search whose client has gone
   * @throws ExecgoError `invalid_input` for a cursor that no list returned, or a limit below 1
   */
  async page(query: ListQuery, signal?: AbortSignal): Promise<TaskListPage> {
    if (!Number.isSafeInteger(query.limit) || query.limit < 1)
      throw invalidInput('limit: must be a whole number above 0');
    const shape = shapeOf(query);
    const page = new Page(query.limit);
    const start = query.cursor === undefined ? undefined : decodeCursor(query.order, query.cursor);
    const next =
      shape.filters.length === 0
        ? this.#read(shape, query, page, start)
        : await this.#search(shape, query, page, start, signal);
    return {
      records: page.rows.map((row) => toRecord(row)),
      ...(next === undefined ? {} : { next_cursor: encodeCursor(query.order, next) }),
    };
  }

  /**
   * Fills the page from the rows after `after` and, if given, up to `last`.
   * @returns the row to go on after, when the page is full and there are more
   */
  #read(shape: Shape, query: ListQuery, page: Page, after?: number, last?: number): number | undefined {
    const range = rangeOf(query.order, after, last);
    const rows = this.#select(TASK_COLUMNS, shape.arms, [...range, ...shape.filters], query, 'LIMIT ?', [
      page.room + 1,
    ]);
    return page.take(rows as IterableIterator<TaskRow>) ? page.rows.at(-1)?.submit_seq : undefined;
  }

  /**
   * As {@link #read}, in slices of the table, each in a turn of the event loop of its own; when there are several searches,
   * each turn runs one slice of one of them. Reads at most {@link MAX_ROWS_READ} rows and {@link MAX_BYTES_READ} bytes.
   */
  async #search(
    shape: Shape,
    query: ListQuery,
    page: Page,
    start: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<number | undefined> {
    let after = start;
    let [rows, bytes] = [0, 0];
    this.#searches++;
    try {
      if (this.#searches > 1) await this.#nextTurn();
      while (rows < MAX_ROWS_READ && bytes < MAX_BYTES_READ && page.room > 0) {
        signal?.throwIfAborted();
        const slice = this.#slice(Math.min(SLICE_ROWS, MAX_ROWS_READ - rows), shape, query, after);
        const next = this.#read(shape, query, page, after, slice.last);
        if (next !== undefined || slice.last === undefined) return next;
        after = slice.last;
        rows += slice.rows;
        bytes += slice.bytes;
        await this.#nextTurn();
      }
      return after;
    } finally {
      this.#searches--;
    }
  }

  #nextTurn(): Promise<void> {
    return (this.#turn = this.#turn.then(() => nextTurn()));
  }

  /** The end of the slice after one row; without `last` the slice goes to the end of the table. */
  #slice(
    most: number,
    shape: Shape,
    query: ListQuery,
    after: number | undefined,
  ): { last: number | undefined; rows: number; bytes: number } {
    const range = rangeOf(query.order, after);
    const columns = `submit_seq, ${REQUEST_BYTES} AS bytes`;
    let [rows, bytes] = [0, 0];
    for (const row of this.#select(columns, shape.arms, range, query, 'LIMIT ?', [most])) {
      const { submit_seq, bytes: more } = row as { submit_seq: number; bytes: number };
      rows++;
      bytes += more;
      if (rows === most || bytes >= SLICE_BYTES) return { last: submit_seq, rows, bytes };
    }
    return { last: undefined, rows, bytes };
  }

  #select(
    columns: string,
    arms: Arm[],
    conditions: Condition[],
    { order }: ListQuery,
    limit: string,
    limitValues: number[],
  ): IterableIterator<unknown> {
    const values: unknown[] = [];
    const selects = arms.map((arm) => {
      const all = arm.condition === undefined ? conditions : [arm.condition, ...conditions];
      values.push(...all.flatMap((c) => c.values));
      const where = all.length === 0 ? '' : `WHERE ${all.map((c) => `(${c.sql})`).join(' AND ')}`;
      return `SELECT ${columns} FROM tasks ${arm.index} ${where}`;
    });
    const direction = order === 'newest' ? 'DESC' : 'ASC';
    const sql = `${selects.join(' UNION ALL ')} ORDER BY submit_seq ${direction} ${limit}`;
    return this.#statements.memo(sql).iterate(...values, ...limitValues);
  }
}

/** A page being filled: it is full by number or by bytes. */
class Page {
  readonly rows: TaskRow[] = [];
  #bytes = 0;

  constructor(private readonly limit: number) {}

  /** How many more rows it can take. */
  get room(): number {
    return this.#bytes > MAX_PAGE_BYTES ? 0 : this.limit - this.rows.length;
  }

  /** Takes rows while there is room; leaving the loop ends the statement. @returns true when some were left over */
  take(rows: Iterable<TaskRow>): boolean {
    for (const row of rows) {
      if (this.room === 0) return true;
      this.rows.push(row);
      if (typeof row.request_json === 'string') this.#bytes += row.request_json.length;
    }
    return false;
  }
}

/** Reads through the condition that usually leaves the fewest rows; the others filter those. */
function shapeOf(query: ListQuery): Shape {
  const { session_id, tenant } = query;
  const statuses = [...new Set(query.status ?? [])].sort();
  const filters = filtersOf(query);
  if (session_id !== undefined || tenant !== undefined) {
    if (statuses.length > 0) filters.push(oneOf('status', statuses));
    if (session_id === undefined) return { arms: [indexed('tenant', 'tenant', tenant)], filters };
    if (tenant !== undefined) filters.push(equal('tenant', tenant));
    return { arms: [indexed('session', 'session_id', session_id)], filters };
  }
  if (statuses.length > 0) return { arms: statuses.map((s) => indexed('status', 'status', s)), filters };
  return { arms: [{ index: 'NOT INDEXED' }], filters };
}

function filtersOf(query: ListQuery): Condition[] {
  const filters: Condition[] = [];
  for (const column of ['cause', 'owner', 'queue', 'lane'] as const) {
    const value = query[column];
    if (value !== undefined) filters.push(equal(column, value));
  }
  if (query.label !== undefined) filters.push(hasLabel(query.label));
  if (query.text !== undefined && query.text !== '')
    filters.push({
      sql: `instr(lower(task_id), lower(?)) OR instr(lower(${COMMAND}), lower(?))`,
      values: [query.text, query.text],
    });
  return filters;
}

function hasLabel(label: string): Condition {
  const at = label.indexOf('=');
  const found = `SELECT 1 FROM json_each(${CONTEXT}, '$.labels') AS label WHERE label.key = ?`;
  if (at < 0) return { sql: `EXISTS (${found})`, values: [label] };
  return { sql: `EXISTS (${found} AND label.value = ?)`, values: [label.slice(0, at), label.slice(at + 1)] };
}

const indexed = (name: string, column: string, value: unknown): Arm => ({
  index: `INDEXED BY idx_tasks_${name}`,
  condition: equal(column, value),
});
const equal = (column: string, value: unknown): Condition => ({ sql: `${column} = ?`, values: [value] });
const oneOf = (column: string, values: unknown[]): Condition => ({
  sql: `${column} IN (SELECT value FROM json_each(?))`,
  values: [JSON.stringify(values)],
});

/** Rows after `after` and up to `last`, in that order. */
function rangeOf(order: ListQuery['order'], after: number | undefined, last?: number): Condition[] {
  const [beyond, within] = order === 'newest' ? ['<', '>='] : ['>', '<='];
  return [
    ...(after === undefined ? [] : [{ sql: `submit_seq ${beyond} ?`, values: [after] }]),
    ...(last === undefined ? [] : [{ sql: `submit_seq ${within} ?`, values: [last] }]),
  ];
}
