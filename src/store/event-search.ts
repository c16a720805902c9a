import { setImmediate as nextTurn } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import type { EventFilter } from '../task/events.js';
import { equal, hasLabel, oneOf, type Condition } from './tasks/list-filters.js';

/** How many events may be read for one page in search of those that pass. */
export const MAX_EVENTS_READ = 10_000;

/** How many are read in one turn of the event loop. */
const SLICE = 500;

/** How many prepared statements are kept: clients can combine conditions. */
const STATEMENTS_MAX = 32;

/** What was found, and how far was looked. */
export interface FoundEvents<Row> {
  rows: Row[];
  /** All up to this seq were looked at. */
  lastSeq: number;
  /** There are no more. */
  isEnd: boolean;
}

/** Looks for events of certain types, or of certain tasks. A page reads a bounded part of the log. */
export class EventSearch<Row extends { seq: number }> {
  readonly #slice: Database.Statement<[number, number], { last: number | null; count: number }>;
  readonly #statements = new LRUCache<string, Database.Statement>({
    max: STATEMENTS_MAX,
    memoMethod: (sql) => this.db.prepare(sql),
  });

  /** @param columns of the table of events that make a row */
  constructor(
    private readonly db: Database.Database,
    private readonly columns: readonly string[],
  ) {
    this.#slice = db.prepare(`SELECT max(seq) AS last, count(*) AS count
      FROM (SELECT seq FROM task_events WHERE seq > ? ORDER BY seq LIMIT ?)`);
  }

  /** @param signal ends a search whose client has gone */
  async after(
    filter: EventFilter,
    afterSeq: number,
    limit: number,
    signal?: AbortSignal,
  ): Promise<FoundEvents<Row>> {
    const rows: Row[] = [];
    let at = afterSeq;
    for (let read = 0; read < MAX_EVENTS_READ; read += SLICE) {
      if (read > 0) await nextTurn();
      signal?.throwIfAborted();
      const { last, count } = this.#slice.get(at, SLICE) ?? { last: null, count: 0 };
      if (last === null) return { rows, lastSeq: at, isEnd: true };
      const found = this.#read(filter, at, last, limit + 1 - rows.length);
      if (rows.length + found.length > limit) {
        rows.push(...found.slice(0, limit - rows.length));
        return { rows, lastSeq: rows.at(-1)?.seq ?? at, isEnd: false };
      }
      rows.push(...found);
      at = last;
      if (count < SLICE) return { rows, lastSeq: at, isEnd: true };
    }
    return { rows, lastSeq: at, isEnd: false };
  }

  #read(filter: EventFilter, after: number, upTo: number, limit: number): Row[] {
    const conditions = conditionsOf(filter);
    // The order of the tables is that of the log: a task is looked up for each event.
    const sql = `SELECT ${this.columns.map((name) => `e.${name}`).join(', ')} FROM task_events AS e
      CROSS JOIN tasks ON tasks.task_id = e.task_id
      WHERE e.seq > ? AND e.seq <= ? AND ${conditions.map((c) => `(${c.sql})`).join(' AND ')} ORDER BY e.seq LIMIT ?`;
    const values = conditions.flatMap((c) => c.values);
    return this.#statements.memo(sql).all(after, upTo, ...values, limit) as Row[];
  }
}

/** One line for each thing that events can be chosen by. */
function conditionsOf(filter: EventFilter): Condition[] {
  const { event_type, tenant, queue, session_id, group, label } = filter;
  return [
    ...(event_type === undefined ? [] : [oneOf('e.event_type', event_type)]),
    ...(tenant === undefined ? [] : [equal('tasks.tenant', tenant)]),
    ...(queue === undefined ? [] : [equal('tasks.queue', queue)]),
    ...(session_id === undefined ? [] : [equal('tasks.session_id', session_id)]),
    ...(group === undefined ? [] : [equal('tasks.group_name', group)]),
    ...(label === undefined ? [] : [hasLabel(label)]),
  ];
}
