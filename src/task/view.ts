import { z } from 'zod';
import { CAUSES } from './causes.js';
import { CONDITIONS } from './dependencies.js';
import { ErrorBody } from './error-body.js';
import { FollowUpView } from './follow-up-view.js';
import { NotificationView } from './notification-view.js';
import { CLIENT_EVENT_WORD, EVENT_TYPES } from './events.js';
import { ExecutionPlan, ResourceItems, Resources } from './plan.js';
import { Progress } from './progress.js';
import { ON_CONFLICT, submissionParts } from './request.js';
import { RESOURCE_KEYS } from './resources.js';
import { count, namedFields, sentences, texts, time } from './schema.js';
import { TASK_STATUSES } from './states.js';

/** Peak memory is absent where nothing measured it. */
export const Usage = z.strictObject({
  duration_ms: count,
  user_cpu_ms: count.optional(),
  system_cpu_ms: count.optional(),
  max_rss_bytes: count.optional(),
  memory_peak_bytes: count.optional(),
  oom_kills: count
    .optional()
    .describe('Processes that the kernel killed for want of memory; absent where nothing counted them'),
  cpu_percent: z.number().min(0).optional().describe('While it runs: share of one core, over the whole tree'),
  memory_bytes: count.optional().describe('While it runs: resident bytes, over the whole tree'),
  processes: count.optional().describe('While it runs'),
});
export type Usage = z.output<typeof Usage>;

/** Of what there is too little now. @public in the specification */
export const Lack = z.strictObject({
  of: z.enum(['machine', 'tenant', 'queue', 'lane', 'concurrency']).describe('Whose bound it is'),
  resource: z.union([z.enum(RESOURCE_KEYS), z.templateLiteral(['resources.', z.string()])]),
  requested: count,
  free: count.describe('What is left of limit'),
  limit: count,
});

/** One of the tasks after which another starts. @public in the specification */
export const After = z.strictObject({
  task_id: z.string(),
  when: z.enum(CONDITIONS).describe('What must become of it'),
});

/** One of them that has not ended as it must. @public in the specification */
export const AwaitedTask = z.strictObject({
  ...After.shape,
  status: z
    .enum(TASK_STATUSES)
    .optional()
    .describe('How it is; absent in the moment in which what it waits for is settled'),
});

/** How many tasks with the same key may run beside each other. @public in the specification */
export const Concurrency = z.strictObject({
  key: z.string(),
  limit: count,
  on_conflict: z.enum(ON_CONFLICT),
});

/** Why a task that is accepted does not start. */
export const Waiting = z.strictObject({
  reason: z
    .enum([
      ...['capacity', 'quota', 'queue_limit', 'queue_paused', 'session_busy', 'concurrency'],
      ...['no_runner', 'demands', 'held', 'dependency', 'retry_backoff', 'start_at'],
    ] as const)
    .describe(
      'held: until it is released; dependency: it starts after other tasks, which have not all ended as they must; concurrency: as many tasks with its key run as it allows; start_at: its time has not come; capacity: the machine has no room for it, or others come first; quota: its tenant has none left; queue_limit: its queue or lane runs as many as it may; queue_paused: its queue is paused; session_busy: as many tasks of its session as may have their turn before it; no_runner: nothing is there that launches it; demands: this machine is not what the task demands; retry_backoff: an attempt has failed, and the next is not due yet',
    ),
  detail: z.string().describe('The reason in words, with the numbers'),
  lack: Lack.optional().describe('The numbers; absent where there is enough of everything'),
  after: z
    .array(AwaitedTask)
    .optional()
    .describe('The tasks that it waits for, with reason dependency: the first of them where there are many'),
  after_count: count.optional().describe('How many it waits for, with reason dependency'),
  position: z
    .int()
    .min(1)
    .optional()
    .describe('Its place among the tasks of its tenant in its queue, from 1 on; not in lists'),
  until: time
    .optional()
    .describe('Before this it does not start, whatever else happens; absent where no time says so'),
  since: time.describe('When it began to wait: from then on this reason may have held'),
});
export type Waiting = z.output<typeof Waiting>;

/** How one attempt ended. */
export const AttemptView = z.strictObject({
  attempt: z.int().min(1).describe('Its number; the first is 1'),
  cause: z.enum(CAUSES),
  exit_code: z.int().optional(),
  exit_signal: z.int().optional(),
  started_at: time.optional().describe('Absent when nothing of it is known to have run'),
  finished_at: time,
  usage: Usage.optional(),
  error: ErrorBody.optional(),
  stdout_bytes: count.optional().describe('What it wrote, kept or not'),
  stderr_bytes: count.optional(),
});
export type AttemptView = z.output<typeof AttemptView>;

/** Where a task's files are. @public in the specification */
export const Artifacts = z.strictObject({
  task_dir: z.string(),
  request_path: z.string(),
  result_path: z.string(),
  stdout_path: z.string(),
  stderr_path: z.string(),
  script_path: z.string().optional(),
});

/** The limits of a request as they were accepted: what it left open is decided. @public in the specification */
export const TaskLimits = z.strictObject({
  ...namedFields(
    submissionParts.Limits.keyof().options.filter((name) => name !== 'resources'),
    z.int().optional(),
  ),
  resources: z.record(z.string(), z.int()).optional(),
  stdout_max_bytes: count,
  stderr_max_bytes: count,
});

/** A line of the task list: the status object without output, plan and artifacts; no environment values. */
export const TaskSummary = z.strictObject({
  task_id: z.string(),
  handle_id: z.string(),
  status: z.enum(TASK_STATUSES),
  version: count.describe('Grows with each change of the task: its number among the changes of all tasks'),
  waiting: Waiting.optional().describe(
    'While it is accepted: why it does not start. Absent in the moment in which it does, or is cancelled',
  ),
  attempt: count.describe('The number of the attempt that it is at, or was at last; 0 before the first'),
  cause: z.enum(CAUSES).optional(),
  created_at: time,
  updated_at: time,
  started_at: time.optional(),
  finished_at: time.optional(),
  duration_ms: count.optional(),
  exit_code: z.int().optional(),
  exit_signal: z.int().optional(),
  error: ErrorBody.optional(),
  kill_requested: z.boolean(),
  kill_requested_at: time.optional(),
  kill_requested_by: z
    .string()
    .optional()
    .describe('The owner in whose name it was asked for, where one was named'),
  kill_reason: z.string().optional().describe('Why, in the words of who asked for it'),
  paused: z.literal(true).optional().describe('While it is paused'),
  paused_at: time.optional().describe('Since when it is paused'),
  tenant: z.string().optional(),
  owner: z.string().optional(),
  queue: z.string(),
  lane: z.string().optional(),
  priority: z.int(),
  resource_items: ResourceItems.optional().describe(
    'The items of named resources that it has for itself, or had; absent where it has none',
  ),
  start_at: time.optional().describe('It was not to start before this time'),
  held: z.literal(true).optional().describe('While it is accepted, and held until it is released'),
  session_id: z.string().optional(),
  group: z.string().optional(),
  retry_of: z.string().optional().describe('The task that it repeats'),
  retried_as: z.string().optional().describe('The last task that repeats it'),
  concurrency: Concurrency.optional().describe(
    'What it shares with others of its tenant, as it was asked for',
  ),
  parent_task_id: z.string().optional(),
  progress: Progress.optional().describe('How far its attempt is, or was at last, in its own words'),
  labels: texts.optional(),
  metadata: texts.optional(),
  command: z
    .string()
    .describe("Program and arguments, or the script's first line, for people: a long one is cut"),
});
export type TaskSummary = z.output<typeof TaskSummary>;

/** A task below another, with what is below it. */
export interface TaskNode extends TaskSummary {
  children?: TaskNode[] | undefined;
  more_children?: true | undefined;
}
export const TaskNode: z.ZodType<TaskNode> = z.lazy(() =>
  z.strictObject({
    ...TaskSummary.shape,
    children: z.array(TaskNode).optional(),
    more_children: z.literal(true).optional().describe('It has further children, which are not shown'),
  }),
);

/** The status object, also what `result.json` holds. */
export const TaskView = z.strictObject({
  ...TaskSummary.shape,
  cwd: z.string().describe('The directory that it starts in, as it sees it'),
  limits: TaskLimits,
  after: z.array(After).optional().describe('The tasks that it starts after, as it was asked for'),
  shim_pid: z.int().optional().describe("The supervisor's pid"),
  pid: z.int().optional(),
  pgid: z.int().optional(),
  stdout: z.string().describe('The first bytes; at most the cap and 4 MiB'),
  stderr: z.string(),
  stdout_truncated: z.boolean().describe('The task wrote more than stdout shows'),
  stderr_truncated: z.boolean(),
  stdout_bytes: count.describe('What the task wrote, kept or not'),
  stderr_bytes: count,
  stdout_omitted_bytes: count
    .optional()
    .describe('Bytes between the beginning and the end that were not kept; absent where all of it is'),
  stderr_omitted_bytes: count.optional(),
  stdout_tail: z.string().optional().describe('The last bytes, where stdout does not show all'),
  stderr_tail: z.string().optional(),
  usage: Usage.optional().describe('Of the attempt that it is at, or was at last'),
  usage_total: Usage.optional().describe(
    'Of all attempts that have ended, where there were several: sums, and of peaks the greatest',
  ),
  attempts: z.array(AttemptView).optional().describe('The attempts that have ended, in their order'),
  children: z.array(TaskNode).optional().describe('With tree=true: its children, with theirs'),
  more_children: z.literal(true).optional().describe('With tree=true: it has further children'),
  follow_ups: z
    .array(FollowUpView)
    .optional()
    .describe('The tasks that were to follow it; absent where there are none, and in result.json'),
  notifications: z
    .array(NotificationView)
    .optional()
    .describe('The messages that its end has caused; absent where there are none, and in result.json'),
  execution_plan: ExecutionPlan.optional(),
  reservation: Resources.optional(),
  warnings: sentences
    .optional()
    .describe("What of the task's files could not be read, kept or written, in words for people"),
  artifacts: Artifacts,
});
export type TaskView = z.output<typeof TaskView>;

/** One page of the task list. */
export const TaskPage = z.strictObject({
  tasks: z.array(TaskSummary),
  next_cursor: z.string().optional().describe('Absent on the last page'),
});
export type TaskPage = z.output<typeof TaskPage>;

/** That a task was deleted, by hand or as garbage. */
export const DeletedTask = z.strictObject({
  task_id: z.string(),
  version: count.describe('That of the deletion: it counts as a change'),
  deleted_at: time,
});
export type DeletedTask = z.output<typeof DeletedTask>;

/** One page of what became of tasks since a version. */
export const ChangesPage = z.strictObject({
  tasks: z
    .array(TaskSummary)
    .describe('Tasks that changed, as they are now, by version; no task is in more than one page'),
  deleted: z.array(DeletedTask).describe('Tasks that are gone; none of them is in tasks'),
  next_cursor: z.string().optional().describe('Absent on the last page'),
  version: count
    .optional()
    .describe('On the last page: the changed_after of the next time. All up to it has been told'),
});
export type ChangesPage = z.output<typeof ChangesPage>;

/** One page of the task list, or of changes, with the fields that were asked for. @public in the specification */
export const PartialTaskPage = z.strictObject({
  tasks: z.array(TaskSummary.partial().required({ task_id: true })),
  next_cursor: z.string().optional(),
  deleted: z.array(DeletedTask).optional(),
  version: count.optional(),
});

/** The answer to a submit. `status` is always `accepted`, in a replay too. */
export const SubmitAnswer = z.strictObject({
  task_id: z.string(),
  handle_id: z.string(),
  status: z.literal('accepted'),
  warnings: sentences.optional(),
});
export type SubmitAnswer = z.output<typeof SubmitAnswer>;

/** The answer to one item of a batch. */
export const BatchItem = z.union([
  SubmitAnswer,
  z.strictObject({ task_id: z.string().optional(), error: ErrorBody }),
]);
export type BatchItem = z.output<typeof BatchItem>;

/** @public in the specification */
export const DeleteAnswer = z.strictObject({ task_id: z.string(), deleted: z.literal(true) });

/** An event as it goes over the wire. */
export const EventView = z.strictObject({
  seq: count.describe('Its number among all events of the daemon'),
  task_seq: count.optional().describe('Its number among the events of its task, from 1 on'),
  task_id: z.string(),
  handle_id: z.string(),
  event_type: z
    .string()
    .describe(`${EVENT_TYPES.join(', ')}; a database of an older version may hold others`),
  type: z.enum([...new Set(Object.values(CLIENT_EVENT_WORD))]),
  timestamp: time,
  message: z.string().describe('What happened, in words'),
  data: z.unknown().optional(),
});
export type EventView = z.output<typeof EventView>;

/** A page of events that were chosen by conditions. */
export const EventPage = z.strictObject({
  events: z.array(EventView),
  last_seq: count.describe('The after_seq to go on with: all up to it were looked at'),
});
export type EventPage = z.output<typeof EventPage>;

/** How several tasks are. */
export const WaitAnswer = z.strictObject({
  mode: z.enum(['any', 'all']),
  met: z.boolean().describe('Whether one of them, or each, has ended'),
  tasks: z.array(TaskSummary).describe('In the order in which they were asked for'),
});
export type WaitAnswer = z.output<typeof WaitAnswer>;
