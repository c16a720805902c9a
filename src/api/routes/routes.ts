import { actions } from './actions.js';
import { batch } from './batch.js';
import { addCommand, command, commands } from './commands.js';
import { daemonViews } from './daemon.js';
import { deleteHistory } from './delete-history.js';
import { deleteTask } from './delete.js';
import { edit } from './edit.js';
import { events } from './events.js';
import { fileRoutes } from './files.js';
import { gc } from './gc.js';
import { health, ready } from './health.js';
import { kill } from './kill.js';
import { list } from './list.js';
import { markRead } from './mark-read.js';
import { metrics } from './metrics.js';
import { testNotify } from './notify-test.js';
import { openapi } from './openapi.js';
import { output } from './output.js';
import { outputStream } from './output-stream.js';
import { pause, resume } from './pause.js';
import { group, groups, killGroup, retryGroup } from './groups.js';
import { queue } from './queue.js';
import { deleteQueue } from './queue-delete.js';
import { putQueue } from './queue-put.js';
import { queues } from './queues.js';
import { release } from './release.js';
import { request } from './request.js';
import { retry } from './retry.js';
import { deleteSchedule } from './schedule-delete.js';
import { editSchedule } from './schedule-edit.js';
import { makeSchedule } from './schedule-make.js';
import { runSchedule } from './schedule-run.js';
import { schedule } from './schedule.js';
import { schedules } from './schedules.js';
import type { Route } from '../route.js';
import { session } from './session.js';
import { deleteSession } from './session-delete.js';
import { editSession } from './session-edit.js';
import { makeSession } from './session-make.js';
import { sessions } from './sessions.js';
import { sessionEvents } from './session-events.js';
import { markSessionRead } from './session-mark-read.js';
import { sessionOutput } from './session-output.js';
import { refreshStorage, sessionStorage } from './session-storage.js';
import { snapshot } from './snapshot.js';
import { status } from './status.js';
import { submit } from './submit.js';
import { taskEvents } from './task-events.js';
import { wait } from './wait.js';
import { welcome } from './welcome.js';

/** Every route there is. */
export const routes: readonly Route[] = [
  submit,
  list,
  batch,
  actions,
  deleteHistory,
  status,
  edit,
  deleteTask,
  kill,
  retry,
  pause,
  resume,
  release,
  request,
  taskEvents,
  addCommand,
  commands,
  command,
  markRead,
  output,
  outputStream,
  events,
  wait,
  snapshot,
  queues,
  queue,
  putQueue,
  deleteQueue,
  groups,
  group,
  killGroup,
  retryGroup,
  testNotify,
  sessions,
  makeSession,
  session,
  editSession,
  deleteSession,
  sessionStorage,
  refreshStorage,
  sessionEvents,
  sessionOutput,
  markSessionRead,
  schedules,
  makeSchedule,
  schedule,
  editSchedule,
  deleteSchedule,
  runSchedule,
  ...fileRoutes,
  gc,
  ...daemonViews,
  health,
  ready,
  metrics,
  openapi,
  welcome,
];
