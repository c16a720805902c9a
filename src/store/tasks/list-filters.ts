import type { TaskFilter, TimeRange } from '../../task/list.js';

/** A condition of a WHERE clause. */
export interface Condition {
  sql: string;
  values: unknown[];
}

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

/** What must hold of a row that is in no index. */
export function filtersOf(query: Omit<TaskFilter, 'status' | 'tenant' | 'session_id'>): Condition[] {
  const filters: Condition[] = [];
  for (const column of ['cause', 'owner', 'queue', 'lane'] as const) {
    const value = query[column];
    if (value !== undefined) filters.push(equal(column, value));
  }
  if (query.group !== undefined) filters.push(equal('group_name', query.group));
  if (query.label !== undefined) filters.push(hasLabel(query.label));
  if (query.text !== undefined && query.text !== '')
    filters.push({
      sql: `instr(lower(task_id), lower(?)) OR instr(lower(${COMMAND}), lower(?))`,
      values: [query.text, query.text],
    });
  if (query.unread_by !== undefined)
    filters.push({
      sql: `NOT EXISTS (SELECT 1 FROM read_marks AS mark
        WHERE mark.reader = ? AND mark.task_id = tasks.task_id AND mark.version >= tasks.version)`,
      values: [query.unread_by],
    });
  return filters;
}

/** @param label `key` or `key=value` */
export function hasLabel(label: string): Condition {
  const at = label.indexOf('=');
  const found = `SELECT 1 FROM json_each(${CONTEXT}, '$.labels') AS label WHERE label.key = ?`;
  if (at < 0) return { sql: `EXISTS (${found})`, values: [label] };
  return { sql: `EXISTS (${found} AND label.value = ?)`, values: [label.slice(0, at), label.slice(at + 1)] };
}

/** The conditions on one time of a task. */
export function timesOf(query: TimeRange, column: 'created' | 'finished'): Condition[] {
  const [after, before] = [query[`${column}_after`], query[`${column}_before`]];
  return [
    ...(after === undefined ? [] : [{ sql: `${column}_at_ms >= ?`, values: [after] }]),
    ...(before === undefined ? [] : [{ sql: `${column}_at_ms < ?`, values: [before] }]),
  ];
}

export const equal = (column: string, value: unknown): Condition => ({
  sql: `${column} = ?`,
  values: [value],
});

export const oneOf = (column: string, values: unknown[]): Condition => ({
  sql: `${column} IN (SELECT value FROM json_each(?))`,
  values: [JSON.stringify(values)],
});
