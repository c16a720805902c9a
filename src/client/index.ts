/** Typed client of the execgo daemon. Loads Node's own modules only. */
export { ExecgoClient, type ClientOptions } from './client.js';
export { ExecgoApiError, ExecgoConnectionError, ExecgoTimeoutError } from './errors.js';
export type {
  BatchItem,
  HeadTailView,
  KillOptions,
  ListFilter,
  OutputEvent,
  OutputRange,
  OutputStream,
  TaskEnd,
  TaskPage,
} from './types.js';
export type { Cause } from '../task/causes.js';
export type { ErrorBody, ErrorCode } from '../task/errors.js';
export type { GcReport, GcRequest } from '../task/gc.js';
export type { PlannedTask } from '../task/plan.js';
export type { TaskSubmission } from '../task/request.js';
export type { TaskStatus } from '../task/states.js';
export type { EventView, SubmitAnswer, TaskSummary, TaskView } from '../task/view.js';
