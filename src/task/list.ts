import type { Cause } from './causes.js';
import type { TaskStatus } from './states.js';

/**
 * Which come first: `newest` and `oldest` by submission, `created` and `finished` by the clock, the latest first, `priority` as
 * waiting tasks are served within a queue: the highest first, then the oldest.
 */
export const LIST_ORDERS = ['newest', 'oldest', 'created', 'finished', 'priority'] as const;
export type ListOrder = (typeof LIST_ORDERS)[number];

/** Which tasks a list shows, in any order. All conditions that are given must hold. */
export interface TaskFilter {
  status?: TaskStatus[] | undefined;
  cause?: Cause | undefined;
  tenant?: string | undefined;
  owner?: string | undefined;
  queue?: string | undefined;
  lane?: string | undefined;
  session_id?: string | undefined;
  group?: string | undefined;
  /** Id of the task whose children they are. */
  parent?: string | undefined;
  /** `key` or `key=value`. */
  label?: string | undefined;
  /** Part of the task id or of the command. */
  text?: string | undefined;
  /** A reader that has not seen it as it is. */
  unread_by?: string | undefined;
}

/** Unix time in milliseconds. After: at it or later; before: earlier. */
export interface TimeRange {
  created_after?: number | undefined;
  created_before?: number | undefined;
  finished_after?: number | undefined;
  finished_before?: number | undefined;
}

/** Which tasks a list shows, and in which order. */
export interface ListQuery extends TaskFilter, TimeRange {
  order: ListOrder;
  /** The other way round. */
  reverse?: boolean | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** Which changes of tasks are asked for: of those that nothing changes of what is asked for. */
export interface ChangesQuery extends Pick<TaskFilter, 'tenant' | 'owner' | 'session_id' | 'unread_by'> {
  /** The version up to which the reader knows all; 0: nothing. */
  changed_after: number;
  limit: number;
  /** `next_cursor` of the page before. */
  cursor?: string | undefined;
}
