import { eventData, eventMessage } from '../../task/event-messages.js';
import { CLIENT_EVENT_WORD, type TaskEvent } from '../../task/events.js';
import { queueOf } from '../../task/request.js';
import {
  attemptNumber,
  endOf,
  shownAttempt,
  type PastAttempt,
  type TaskRecord,
} from '../../store/records.js';
import type { Tombstone } from '../../store/tombstones.js';
import { taskPaths } from '../../task/task-paths.js';
import { attemptsView } from './attempts-view.js';
import { optionalTime, timestamp } from './timestamp.js';
import type {
  DeletedTask,
  EventView,
  TaskNode,
  TaskSummary,
  TaskView,
  Usage,
  Waiting,
} from '../../task/view.js';
import type { KeptProgress } from '../../task/progress.js';
import type { FollowUpView } from '../../task/follow-up-view.js';
import type { NotificationView } from '../../task/notification-view.js';

/** The texts of a status object, each encoded as a JSON string, and the exact byte counts that go with them. */
export interface EncodedOutput {
  stdout: Buffer;
  stderr: Buffer;
  stdout_tail?: Buffer | undefined;
  stderr_tail?: Buffer | undefined;
  stdout_bytes: number;
  stderr_bytes: number;
  stdout_omitted_bytes?: number | undefined;
  stderr_omitted_bytes?: number | undefined;
  stdout_truncated: boolean;
  stderr_truncated: boolean;
  /** In words, which of the files could not be read or kept. */
  problems: string[];
}

/** What a status shows beside the row. */
interface ViewOptions {
  /** Usage of the running processes; the row of a terminal task has its own. */
  liveUsage?: Usage | undefined;
  /** Why it does not start. */
  waiting?: Waiting | undefined;
  /** The attempts before the one in the row. */
  past?: readonly PastAttempt[] | undefined;
  /** What is below it. */
  tree?: Pick<TaskNode, 'children' | 'more_children'> | undefined;
  /** What has become of the tasks that were to follow it. */
  followUps?: FollowUpView[] | undefined;
  /** What has become of the messages about its end. */
  notifications?: NotificationView[] | undefined;
}

type ViewWithoutTexts = Omit<TaskView, 'stdout' | 'stderr' | 'stdout_tail' | 'stderr_tail'>;

/** The status object without its texts. JSON leaves out fields that are undefined. */
function taskView(
  t: TaskRecord,
  output: EncodedOutput,
  nowMs: number,
  dataDir: string,
  { liveUsage, waiting, past = [], notifications, tree, followUps }: ViewOptions,
): ViewWithoutTexts {
  const paths = taskPaths(dataDir, t.task_id, t.request, shownAttempt(t));
  const ended = endOf(t);
  const { attempt, process } = t.status === 'accepted' ? {} : t;
  const warnings = [...new Set([...(ended?.warnings ?? []), ...output.problems, ...notAsStored(t)])];
  const runsFor =
    t.status === 'running' && process !== undefined ? Math.max(0, nowMs - process.started_at_ms) : undefined;
  // Not spread: V8 turns a spread with as many members after it into a slow dictionary, which costs more than all the rest.
  return Object.assign(commonView(t, waiting), {
    duration_ms: runsFor ?? ended?.duration_ms,
    labels: notEmpty(t.request.control_context?.labels),
    metadata: notEmpty(t.request.metadata),
    shim_pid: attempt?.shim_pid,
    pid: process?.pid,
    pgid: process?.pgid,
    stdout_truncated: output.stdout_truncated,
    stderr_truncated: output.stderr_truncated,
    stdout_bytes: output.stdout_bytes,
    stderr_bytes: output.stderr_bytes,
    stdout_omitted_bytes: output.stdout_omitted_bytes,
    stderr_omitted_bytes: output.stderr_omitted_bytes,
    warnings: warnings.length > 0 ? warnings : undefined,
    cwd: startDirectory(t, paths.workspace_dir),
    limits: t.request.limits,
    after: afterOf(t),
    usage: runsFor === undefined ? ended?.usage : { ...liveUsage, duration_ms: runsFor },
    ...attemptsView(t, past),
    notifications,
    follow_ups: followUps,
    children: tree?.children,
    more_children: tree?.more_children,
    execution_plan: t.plan ?? undefined,
    reservation: t.reservation ?? undefined,
    artifacts: {
      task_dir: paths.task_dir,
      request_path: paths.request_path,
      result_path: paths.result_path,
      stdout_path: paths.stdout_path,
      stderr_path: paths.stderr_path,
      script_path: paths.script_path,
    },
  });
}

function afterOf({ request: { policy } }: TaskRecord): TaskView['after'] {
  return policy.after !== undefined && policy.after.length > 0 ? policy.after : undefined;
}

/** In words, which parts of a row are not shown as they are stored. */
function notAsStored({ unreadable = [], request_problem }: TaskRecord): string[] {
  return [
    ...unreadable.map((name) => `${name} cannot be read in the database`),
    ...(request_problem === undefined ? [] : [`the request is not shown as it was sent: ${request_problem}`]),
  ];
}

function notEmpty(texts: Record<string, string> | undefined): Record<string, string> | undefined {
  return texts !== undefined && Object.keys(texts).length > 0 ? texts : undefined;
}

/** The directory in which a task starts, as the task sees it: in a chroot the path of the workspace is not visible. */
function startDirectory({ request, plan }: TaskRecord, workspace: string): string {
  return request.execution.cwd ?? (plan?.effective_sandbox.chroot === true ? '/' : workspace);
}

/** The encoded status object, with the texts inserted as they were encoded before. */
export function encodeTask(
  t: TaskRecord,
  output: EncodedOutput,
  nowMs: number,
  dataDir: string,
  options: ViewOptions & { pretty?: boolean } = {},
): Buffer[] {
  const json = JSON.stringify(
    taskView(t, output, nowMs, dataDir, options),
    null,
    options.pretty ? 2 : undefined,
  );
  const [separator, end] = options.pretty ? [',\n  ', '\n}\n'] : [',', '}'];
  const pieces: Buffer[] = [Buffer.from(options.pretty ? json.slice(0, -2) : json.slice(0, -1))];
  for (const key of ['stdout', 'stderr', 'stdout_tail', 'stderr_tail'] as const) {
    const text = output[key];
    if (text !== undefined)
      pieces.push(Buffer.from(`${separator}"${key}":${options.pretty ? ' ' : ''}`), text);
  }
  return [...pieces, Buffer.from(end)];
}

/** How many characters of a command, of labels and of metadata a list shows: a request may have megabytes of them. */
const COMMAND_SHOWN = 200;
const TEXTS_SHOWN = 4096;

/** The first entries of a map of texts, as many as a list shows; undefined when there are none. */
function shownTexts(texts: Record<string, string> | undefined): Record<string, string> | undefined {
  let left = TEXTS_SHOWN;
  const shown = Object.entries(texts ?? {}).filter(
    ([key, value]) => (left -= key.length + value.length) >= 0,
  );
  return shown.length > 0 ? Object.fromEntries(shown) : undefined;
}

function shownCommand({ kind, program = '', args, script = '' }: TaskRecord['request']['execution']): string {
  const words =
    kind === 'command'
      ? [program, ...args.slice(0, COMMAND_SHOWN)].map((w) => w.slice(0, COMMAND_SHOWN))
      : [];
  const text =
    kind === 'command' ? words.join(' ') : (script.slice(0, TEXTS_SHOWN).trimStart().split('\n', 1)[0] ?? '');
  // What was cut may have left half of a character.
  const halves = /[\ud800-\udbff](?![\udc00-\udfff])/g;
  return (text.length > COMMAND_SHOWN ? `${text.slice(0, COMMAND_SHOWN - 1)}…` : text).replace(halves, '');
}

/** What a status and a line in a list both tell. */
function commonView(t: TaskRecord, waiting: Waiting | undefined): Omit<TaskSummary, 'labels' | 'metadata'> {
  const { execution, control_context: context, policy } = t.request;
  const ended = endOf(t);
  const process = t.status === 'accepted' ? undefined : t.process;
  const pausedAt = t.status === 'running' ? t.paused_at_ms : undefined;
  return {
    task_id: t.task_id,
    handle_id: t.task_id,
    status: t.status,
    version: t.version,
    attempt: attemptNumber(t),
    waiting,
    cause: ended?.cause,
    created_at: timestamp(t.created_at_ms),
    updated_at: timestamp(t.updated_at_ms),
    started_at: optionalTime(process?.started_at_ms),
    finished_at: optionalTime(ended?.finished_at_ms),
    duration_ms: ended?.duration_ms,
    exit_code: ended?.exit_code,
    exit_signal: ended?.exit_signal,
    error: ended?.error,
    kill_requested: t.kill_requested_at_ms !== undefined,
    kill_requested_at: optionalTime(t.kill_requested_at_ms),
    kill_requested_by: t.kill_note?.by,
    kill_reason: t.kill_note?.reason,
    paused: pausedAt === undefined ? undefined : true,
    paused_at: optionalTime(pausedAt),
    tenant: context?.tenant,
    owner: context?.owner,
    queue: queueOf(t.request),
    lane: context?.lane,
    priority: policy.priority,
    resource_items: t.status === 'accepted' ? undefined : t.items,
    start_at: policy.start_at,
    held: t.status === 'accepted' && policy.hold === true ? true : undefined,
    session_id: context?.session_id,
    group: context?.group,
    retry_of: t.retry_of,
    retried_as: ended?.retried_as,
    concurrency: policy.concurrency,
    parent_task_id: context?.parent_task_id,
    progress: t.status === 'accepted' ? undefined : progressView(t.progress),
    command: shownCommand(execution),
  };
}

function progressView(said: KeptProgress | undefined): TaskSummary['progress'] {
  if (said === undefined) return undefined;
  const { percent, done, total, message, at_ms } = said;
  return { percent, done, total, message, at: timestamp(at_ms) };
}

/** A task's line in a list. Holds no values of environment variables. @param waiting why it does not start */
export function taskSummary(t: TaskRecord, waiting: Waiting | undefined): TaskSummary {
  const { control_context: context, metadata } = t.request;
  return Object.assign(commonView(t, waiting), {
    labels: shownTexts(context?.labels),
    metadata: shownTexts(metadata),
  });
}

export function deletedTask({ task_id, version, deleted_at_ms }: Tombstone): DeletedTask {
  return { task_id, version, deleted_at: timestamp(deleted_at_ms) };
}

/** An event as it is sent, with the name that the Go client has for it. */
export function eventView(e: TaskEvent): EventView {
  return {
    seq: e.seq,
    task_seq: e.task_seq,
    task_id: e.task_id,
    handle_id: e.task_id,
    event_type: e.event_type,
    type: Object.hasOwn(CLIENT_EVENT_WORD, e.event_type)
      ? CLIENT_EVENT_WORD[e.event_type]
      : 'task_progressed',
    timestamp: timestamp(e.timestamp_ms),
    message: eventMessage(e),
    data: eventData(e) ?? undefined,
  };
}
