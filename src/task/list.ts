import type { Cause } from './causes.js';
import type { TaskStatus } from './states.js';

/** Which tasks a list shows, and in which order. All conditions that are given must hold. */
export interface ListQuery {
  status?: TaskStatus[] | undefined;
  cause?: Cause | undefined;
  tenant?: string | undefined;
  owner?: string | undefined;
  queue?: string | undefined;
  lane?: string | undefined;
  session_id?: string | undefined;
  /** `key` or `key=value`. */
  label?: string | undefined;
  /** Part of the task id or of the command. */
  text?: string | undefined;
  order: 'newest' | 'oldest';
  limit: number;
  cursor?: string | undefined;
}
