import type { ChangesQuery, ListQuery } from '../../task/list.js';
import { isTerminal } from '../../task/states.js';
import { equal, filtersOf, oneOf, timesOf, type Condition } from './list-filters.js';
import { BY_VERSION, orderOf, type Order } from './list-order.js';

/** One way to read the table in its order. */
interface Arm {
  index: string;
  conditions: Condition[];
}

/** Where a query reads, in which order, and which rows pass. Without arms there are none. */
export interface Shape {
  order: Order;
  arms: Arm[];
  filters: Condition[];
}

const TERMINAL = ['cancelled', 'failed', 'success'] as const;

/** What the rows of an index have, word for word as the index says it. */
const HAS_ENDED: Condition = { sql: 'finished_at_ms IS NOT NULL', values: [] };
const WAITS: Condition = { sql: `status = 'accepted'`, values: [] };

/** Times are numbers, but an older database may hold anything: what is no date has no place in an order by date. */
const isDate = (column: string): Condition => ({
  sql: `${column} BETWEEN -8640000000000000 AND 8640000000000000`,
  values: [],
});

const indexed = (name: string, column: string, value: unknown, more: Condition[] = []): Arm => ({
  index: `INDEXED BY idx_tasks_${name}`,
  conditions: [equal(column, value), ...more],
});

/** Reads through the order's index, or through the condition that usually leaves the fewest rows; the others filter those. */
export function shapeOf(query: ListQuery): Shape {
  const order = orderOf(query.order, query.reverse);
  const statuses = [...new Set(query.status ?? [])].sort();
  const [created, finished] = [timesOf(query, 'created'), timesOf(query, 'finished')];
  const status = statuses.length > 0 ? [oneOf('status', statuses)] : [];
  const scope = [...given(query, 'tenant'), ...given(query, 'session_id')];
  const filters = filtersOf(query);
  switch (order.key) {
    case 'created_at_ms': {
      const conditions = created.length === 2 ? created : [isDate('created_at_ms'), ...created];
      const arms = [{ index: 'INDEXED BY idx_tasks_created', conditions }];
      return { order, arms, filters: [...status, ...scope, ...filters, ...finished] };
    }
    case 'finished_at_ms': {
      const ended = (statuses.length > 0 ? statuses : TERMINAL).filter(isTerminal);
      const conditions = [HAS_ENDED, isDate('finished_at_ms'), ...finished];
      const arms = ended.map((s) => indexed('finished', 'status', s, conditions));
      return { order, arms, filters: [...scope, ...filters, ...created] };
    }
    case 'priority': {
      const waits = statuses.length === 0 || statuses.includes('accepted');
      const arms = waits ? [{ index: 'INDEXED BY idx_tasks_waiting', conditions: [WAITS] }] : [];
      return { order, arms, filters: [...scope, ...filters, ...created, ...finished] };
    }
    default: {
      const { arms, rest } = bySubmission(query, statuses, status);
      return { order, arms, filters: [...rest, ...filters, ...created, ...finished] };
    }
  }
}

function bySubmission(
  query: ListQuery,
  statuses: ListQuery['status'] & {},
  status: Condition[],
): { arms: Arm[]; rest: Condition[] } {
  const { session_id, tenant, group, parent } = query;
  const ofOne = (name: string, column: string, value: string) => ({
    arms: [indexed(name, column, value)],
    rest: [...status, ...given(query, 'tenant'), ...given(query, 'session_id')],
  });
  if (parent !== undefined) return ofOne('parent', 'parent_task_id', parent);
  if (group !== undefined)
    return {
      arms: [indexed('group', 'group_name', group)],
      rest: [...status, ...given(query, 'tenant'), ...given(query, 'session_id')],
    };
  if (session_id !== undefined)
    return {
      arms: [indexed('session', 'session_id', session_id)],
      rest: [...status, ...given(query, 'tenant')],
    };
  if (tenant !== undefined) return { arms: [indexed('tenant', 'tenant', tenant)], rest: status };
  if (statuses.length > 0) return { arms: statuses.map((s) => indexed('status', 'status', s)), rest: [] };
  return { arms: [{ index: 'NOT INDEXED', conditions: [] }], rest: [] };
}

/** @param to the highest version that is asked for */
export function changesShape(filter: Omit<ChangesQuery, 'changed_after' | 'limit'>, to: number): Shape {
  const upTo = { sql: 'version <= ?', values: [to] };
  return {
    order: BY_VERSION,
    arms: [{ index: 'INDEXED BY idx_tasks_version', conditions: [upTo] }],
    filters: [...given(filter, 'tenant'), ...given(filter, 'session_id'), ...filtersOf(filter)],
  };
}

function given(query: Partial<Record<'tenant' | 'session_id', string>>, column: 'tenant' | 'session_id') {
  const value = query[column];
  return value === undefined ? [] : [equal(column, value)];
}
