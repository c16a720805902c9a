import type { Caller, TaskSide } from '../../runtime/task-side.js';
import type { TaskAnswerName } from '../../task/answers.js';
import type { RouteOf } from '../route.js';
import type { BodyBudget } from '../body-budget.js';
import type { Connections } from '../connections.js';
import type { Waiters } from '../waiters.js';

/** What every route of the task socket works with. */
export interface TaskContext {
  /** The task that asks. */
  caller: Caller;
  tasks: TaskSide;
  waiters: Waiters;
  connections: Connections;
  bodies: BodyBudget;
  /** The specification of these routes, as JSON: made when it is first asked for. */
  specification: () => Promise<string>;
}

/** One method of one path of the task socket. */
export type TaskRoute = RouteOf<TaskContext, TaskAnswerName>;
