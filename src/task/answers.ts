import { z } from 'zod';
import * as actions from './actions.js';
import * as commands from './commands.js';
import * as error from './error-body.js';
import * as groups from './groups.js';
import { FollowUpView } from './follow-up-view.js';
import * as notification from './notification-view.js';
import * as files from './files.js';
import * as output from './output.js';
import * as plan from './plan.js';
import * as queues from './queues.js';
import * as rerun from './rerun.js';
import * as progress from './progress.js';
import * as readMark from './read-mark.js';
import * as taskEvent from './task-event.js';
import * as snapshot from './snapshot.js';
import * as runtime from './runtime-view.js';
import * as sessions from './sessions.js';
import * as sessionOutput from './session-output.js';
import * as sessionStorage from './session-storage.js';
import * as schedules from './schedules.js';
import * as view from './view.js';

/**
 * Every shape that an answer, or an event of a stream, has or is made of, by its name in the specification. The daemon
 * checks nothing against them; its tests check every answer.
 */
export const answers = {
  ...error,
  ...plan,
  ...view,
  FollowUpView,
  NotificationView: notification.NotificationView,
  NotifyTestAnswer: notification.NotifyTestAnswer,
  ...output,
  ...runtime,
  QueueRule: queues.QueueRule,
  TaskCounts: queues.TaskCounts,
  NextTask: queues.NextTask,
  QueueView: queues.QueueView,
  QueuePage: queues.QueuePage,
  QueueDeleteAnswer: queues.QueueDeleteAnswer,
  FileEntry: files.FileEntry,
  FileList: files.FileList,
  FilePutAnswer: files.FilePutAnswer,
  FileDeleteAnswer: files.FileDeleteAnswer,
  StorageFigures: sessionStorage.StorageFigures,
  SessionStorage: sessionStorage.SessionStorage,
  SessionOutputPiece: sessionOutput.SessionOutputPiece,
  SessionOutputPage: sessionOutput.SessionOutputPage,
  SessionView: sessions.SessionView,
  SessionPage: sessions.SessionPage,
  SessionDeleteAnswer: sessions.SessionDeleteAnswer,
  ScheduleRun: schedules.ScheduleRun,
  ScheduleSummary: schedules.ScheduleSummary,
  ScheduleView: schedules.ScheduleView,
  SchedulePage: schedules.SchedulePage,
  ScheduleDeleteAnswer: schedules.ScheduleDeleteAnswer,
  GroupFailure: groups.GroupFailure,
  GroupView: groups.GroupView,
  GroupPage: groups.GroupPage,
  GroupKillAnswer: groups.GroupKillAnswer,
  Progress: progress.Progress,
  CommandView: commands.CommandView,
  CommandPage: commands.CommandPage,
  ...rerun,
  SubmitOrDryRunAnswer: z.union([view.SubmitAnswer, plan.PlannedTask]),
  BulkItem: actions.BulkItem,
  BulkAnswer: actions.BulkAnswer,
  Snapshot: snapshot.Snapshot,
  ReadMark: readMark.ReadMark,
  SessionReadMark: readMark.SessionReadMark,
  SessionReader: readMark.SessionReader,
  BatchAnswer: z.array(view.BatchItem),
  Request: z.looseObject({}).describe('A submit body as it was sent'),
  Events: z.array(view.EventView),
  EventsAnswer: z.union([z.array(view.EventView), view.EventPage]),
  TaskListAnswer: z.union([view.TaskPage, view.ChangesPage, view.PartialTaskPage]),
  OutputAnswer: z.union([output.OutputRange, output.HeadTailView]),
};

/** Those that only tasks get, at their socket. */
export const taskAnswers = {
  ProgressAnswer: progress.ProgressAnswer,
  TaskEventAnswer: taskEvent.TaskEventAnswer,
};

export type AnswerName = keyof typeof answers;
export type TaskAnswerName = AnswerName | keyof typeof taskAnswers;
export type Answer<N extends AnswerName> = z.output<(typeof answers)[N]>;
