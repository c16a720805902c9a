import { setImmediate as nextTurn } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import { invalidInput } from '../../task/errors.js';
import type { ChangesQuery, ListQuery } from '../../task/list.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import { oneOf } from './list-filters.js';
import { orderBy, rangesAfter, type Order, type Position } from './list-order.js';
import { changesShape, shapeOf, type Shape } from './list-shape.js';
import type { TaskListPage, TaskRecord } from '../records.js';
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

/**
 * The bytes of a row that its client chose, as far as filters read them. SQLite knows lengths from a row's header, without
 * reading the values.
 */
const REQUEST_BYTES = `octet_length(execution_json) + coalesce(octet_length(control_context_json), 0) +
  octet_length(metadata_json) + coalesce(octet_length(request_json), 0)`;

/** A row as it is read: with the key of the order. */
type Row = TaskRow & Record<Order['key'], number>;

/** What was read of a list, and where the rest begins; undefined: there is no more. */
interface Found {
  records: TaskRecord[];
  next: Position | undefined;
}

/** Pages of tasks, in the order of an index. A page costs the same wherever in the history it is. */
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
    const start = query.cursor === undefined ? undefined : decodeCursor(query, query.cursor);
    const { records, next } = await this.#page(shapeOf(query), query.limit, start, signal);
    return { records, ...(next === undefined ? {} : { next_cursor: encodeCursor(query, next) }) };
  }

  /**
   * Tasks by version: those with a higher one than `after`, up to `to`.
   * @returns `next`: up to which version all were found; undefined: up to `to`
   */
  async changes(
    { after, to, limit, ...filter }: { after: number; to: number } & Omit<ChangesQuery, 'changed_after'>,
    signal?: AbortSignal,
  ): Promise<{ records: TaskRecord[]; next: number | undefined }> {
    const shape = changesShape(filter, to);
    const { records, next } = await this.#page(shape, limit, { key: after, seq: 0 }, signal);
    return { records, next: next?.key };
  }

  async #page(shape: Shape, limit: number, start?: Position, signal?: AbortSignal): Promise<Found> {
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw invalidInput('limit: must be a whole number above 0');
    const page = new Page(limit);
    const next =
      shape.filters.length === 0
        ? this.#read(shape, page, start)
        : await this.#search(shape, page, start, signal);
    return {
      records: page.rows.map((row) => toRecord(row)),
      next: next && { key: next[shape.order.key], seq: next.submit_seq },
    };
  }

  /** Fills the page. @returns its last row, when there are more */
  #read(shape: Shape, page: Page, after: Position | undefined): Row | undefined {
    const rows = this.#select(columnsOf(shape.order), shape, after, page.room + 1);
    return page.take(rows as IterableIterator<Row>) ? page.rows.at(-1) : undefined;
  }

  /**
   * As {@link #read}, in slices of the table, each in a turn of the event loop of its own; when there are several searches,
   * each turn runs one slice of one of them. Reads at most {@link MAX_ROWS_READ} rows and {@link MAX_BYTES_READ} bytes.
   */
  async #search(
    shape: Shape,
    page: Page,
    start: Position | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Key | undefined> {
    let after = start;
    let last: Key | undefined;
    let [rows, bytes] = [0, 0];
    this.#searches++;
    try {
      if (this.#searches > 1) await this.#nextTurn();
      while (rows < MAX_ROWS_READ && bytes < MAX_BYTES_READ && page.room > 0) {
        signal?.throwIfAborted();
        const slice = this.#slice(Math.min(SLICE_ROWS, MAX_ROWS_READ - rows), shape, after);
        if (this.#filter(shape, page, slice.keys)) return page.rows.at(-1);
        last = slice.keys.at(-1);
        if (slice.isLast || last === undefined) return undefined;
        after = { key: last[shape.order.key], seq: last.submit_seq };
        rows += slice.keys.length;
        bytes += slice.bytes;
        await this.#nextTurn();
      }
      return last;
    } finally {
      this.#searches--;
    }
  }

  #nextTurn(): Promise<void> {
    return (this.#turn = this.#turn.then(() => nextTurn()));
  }

  /** The next rows, as far as one turn goes. */
  #slice(most: number, shape: Shape, after: Position | undefined) {
    const { key } = shape.order;
    const columns = `submit_seq, ${key === 'submit_seq' ? '' : `${key}, `}${REQUEST_BYTES} AS bytes`;
    const keys: Key[] = [];
    let bytes = 0;
    for (const row of this.#select(columns, shape, after, most)) {
      const found = row as Key & { bytes: number };
      keys.push(found);
      bytes += found.bytes;
      if (bytes >= SLICE_BYTES) return { keys, bytes, isLast: false };
    }
    return { keys, bytes, isLast: keys.length < most };
  }

  /** Takes those of the rows that pass the filters. @returns true when some were left over */
  #filter({ order, filters }: Shape, page: Page, keys: readonly Key[]): boolean {
    if (keys.length === 0) return false;
    const among = oneOf(
      'submit_seq',
      keys.map(({ submit_seq }) => submit_seq),
    );
    const conditions = [among, ...filters];
    const where = conditions.map(({ sql }) => `(${sql})`).join(' AND ');
    const found = this.#statements
      .memo(`SELECT ${columnsOf(order)} FROM tasks WHERE ${where}`)
      .iterate(...conditions.flatMap(({ values }) => values)) as IterableIterator<Row>;
    const place = new Map(keys.map(({ submit_seq }, i) => [submit_seq, i]));
    const placeOf = ({ submit_seq }: Row) => place.get(submit_seq) ?? 0;
    return page.take([...found].sort((a, b) => placeOf(a) - placeOf(b)));
  }

  #select(
    columns: string,
    { order, arms }: Shape,
    after: Position | undefined,
    limit: number,
  ): IterableIterator<unknown> {
    if (arms.length === 0) return [].values();
    const values: unknown[] = [];
    const ranges = after === undefined ? [undefined] : rangesAfter(order, after);
    const selects = arms.flatMap(({ index, conditions }) =>
      ranges.map((range) => {
        const all = range === undefined ? conditions : [...conditions, range];
        values.push(...all.flatMap((c) => c.values));
        const where = all.length === 0 ? '' : `WHERE ${all.map((c) => `(${c.sql})`).join(' AND ')}`;
        return `SELECT ${columns} FROM tasks ${index} ${where}`;
      }),
    );
    const sql = `${selects.join(' UNION ALL ')} ${orderBy(order)} LIMIT ?`;
    return this.#statements.memo(sql).iterate(...values, limit);
  }
}

type Key = Pick<Row, 'submit_seq'> & Record<Order['key'], number>;

/** What is read of a task, and the key. */
const columnsOf = ({ key }: Order) => (key === 'priority' ? `${TASK_COLUMNS}, priority` : TASK_COLUMNS);

/** A page being filled: it is full by number or by bytes. */
class Page {
  readonly rows: Row[] = [];
  #bytes = 0;

  constructor(private readonly limit: number) {}

  /** How many more rows it can take. */
  get room(): number {
    return this.#bytes > MAX_PAGE_BYTES ? 0 : this.limit - this.rows.length;
  }

  /** Takes rows while there is room; leaving the loop ends the statement. @returns true when some were left over */
  take(rows: Iterable<Row>): boolean {
    for (const row of rows) {
      if (this.room === 0) return true;
      this.rows.push(row);
      if (typeof row.request_json === 'string') this.#bytes += row.request_json.length;
    }
    return false;
  }
}
