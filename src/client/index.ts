/** Typed client of the execgo daemon. Loads Node's own modules only. */
export { ExecgoClient } from './client.js';
export { ExecgoTask } from './task-client.js';
export type { ClientOptions } from './daemon-client.js';
export { ExecgoApiError, ExecgoConnectionError, ExecgoTimeoutError } from './errors.js';
export type {
  Change,
  ChangesOptions,
  EventFilter,
  KillOptions,
  ListFilter,
  ListPage,
  OutputEvent,
} from './types.js';
export type { ErrorCode } from '../task/error-codes.js';
export type { HeadTailView, OutputBytes as OutputRange, OutputStream, TaskEnd } from '../task/output.js';
export type { GcReport } from '../task/runtime-view.js';
export type { BulkAnswer, BulkItem, BulkRequest } from '../task/actions.js';
export type {
  CommandFinish,
  CommandPage,
  CommandRequest,
  CommandStatus,
  CommandView,
} from '../task/commands.js';
export type { Progress, ProgressAnswer, ProgressReport } from '../task/progress.js';
export type { TaskEventAnswer } from '../task/task-event.js';
export type { Cause } from '../task/causes.js';
export type { TaskEdit } from '../task/edit.js';
export type { GcRequest } from '../task/gc.js';
export type { GroupKillAnswer, GroupPage, GroupQuery, GroupView } from '../task/groups.js';
export type { FollowUpView } from '../task/follow-up-view.js';
export type { NotificationView, NotifyTestAnswer } from '../task/notification-view.js';
export type { NotifyTestRequest } from '../task/notify-schema.js';
export type { PlannedTask } from '../task/plan.js';
export type { GroupRetryAnswer, GroupRetryItem, GroupRetryQuery, RetryAnswer } from '../task/rerun.js';
export type {
  NextTask,
  QueuePage,
  QueueQuery,
  QueueRule,
  QueueRuleRequest,
  QueueView,
} from '../task/queues.js';
export type { WorkspaceOf } from './files.js';
export type { FileDeleteAnswer, FileEntry, FileList, FilePutAnswer } from '../task/files.js';
export type { SessionFilter } from './sessions.js';
export type { SessionOutputBytes, SessionOutputPiece } from '../task/session-output.js';
export type { SessionStorage, StorageFigures } from '../task/session-storage.js';
export type {
  SessionDeleteAnswer,
  SessionEdit,
  SessionPage,
  SessionRequest,
  SessionState,
  SessionView,
} from '../task/sessions.js';
export type {
  ScheduleEdit,
  SchedulePage,
  ScheduleRequest,
  ScheduleRun,
  ScheduleSummary,
  ScheduleView,
} from '../task/schedules.js';
export type { BatchSubmission, TaskSubmission } from '../task/request.js';
export type { TaskStatus } from '../task/states.js';
export type { ReadMark, SessionReadMark } from '../task/read-mark.js';
export type { Snapshot } from '../task/snapshot.js';
export type { ErrorBody } from '../task/error-body.js';
export type {
  BatchItem,
  ChangesPage,
  DeletedTask,
  EventPage,
  EventView,
  SubmitAnswer,
  TaskPage,
  TaskNode,
  TaskSummary,
  TaskView,
  WaitAnswer,
} from '../task/view.js';
