import { z } from 'zod';
import type { BatchItem, TaskPage } from '../runtime/service.js';
import { LIMITS, type LimitName } from '../sandbox/limits/limits.js';
import { CAUSES } from '../task/causes.js';
import { ERROR_STATUS, type ErrorBody, type ErrorCode } from '../task/errors.js';
import { EVENT_TYPES } from '../task/events.js';
import type { GcReport } from '../task/gc.js';
import type { Limits } from '../task/request.js';
import type { Resources } from '../task/resources.js';
import { TASK_STATUSES } from '../task/states.js';
import type { EventView, SubmitAnswer, TaskSummary, TaskView, Usage, Waiting } from '../task/view.js';

/** The shapes of answers, for the specification only: nothing is checked against them at run time. */

const count = z.int().min(0);
const time = z.iso.datetime().describe('RFC 3339, UTC');
const open = z.looseObject({});
const strings = z.record(z.string(), z.string());

const error = z.object({
  code: z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  details: z.unknown().optional(),
}) satisfies z.ZodType<ErrorBody>;

const reservation = z.object({
  task_slots: count,
  cpu_millis: count.optional(),
  memory_bytes: count.optional(),
  pids: count.optional(),
}) satisfies z.ZodType<Resources>;

const usage = z.object({
  duration_ms: count,
  user_cpu_ms: count.optional(),
  system_cpu_ms: count.optional(),
  max_rss_bytes: count.optional(),
  memory_peak_bytes: count.optional(),
  oom_kills: count.optional(),
  cpu_percent: z.number().optional().describe('While it runs: share of one core'),
  memory_bytes: count.optional().describe('While it runs: resident bytes'),
  processes: count.optional().describe('While it runs'),
}) satisfies z.ZodType<Usage>;

const waiting = z.object({
  reason: z.enum(['demands']).describe('demands: this machine is not what the task demands'),
  detail: z.string(),
  since: time,
}) satisfies z.ZodType<Waiting>;

const common = {
  task_id: z.string(),
  handle_id: z.string(),
  status: z.enum(TASK_STATUSES),
  waiting: waiting.optional().describe('Why it cannot start, where more than room is missing'),
  cause: z.enum(CAUSES).optional(),
  created_at: time,
  updated_at: time,
  started_at: time.optional(),
  finished_at: time.optional(),
  duration_ms: count.optional(),
  exit_code: z.int().optional(),
  exit_signal: z.int().optional(),
  error: error.optional(),
  kill_requested: z.boolean(),
  queue: z.string(),
  lane: z.string().optional(),
  priority: z.int(),
  session_id: z.string().optional(),
  metadata: strings.optional(),
};

/** The plan is left open here. */
type TaskViewShape = Omit<TaskView, 'execution_plan'>;

const optionalCount = count.optional();
const runLimits = Object.fromEntries(LIMITS.map(({ name }) => [name, optionalCount])) as Record<
  LimitName,
  typeof optionalCount
>;

const limits = z.object({
  ...runLimits,
  wall_time_ms: optionalCount.describe('0: as long as it takes'),
  stdout_max_bytes: count,
  stderr_max_bytes: count,
  stdout_keep_bytes: count.optional(),
  stderr_keep_bytes: count.optional(),
  queue_timeout_ms: count.optional(),
}) satisfies z.ZodType<Limits>;

const taskView = z.object({
  ...common,
  command: z.string().describe('For people: a long one is cut'),
  cwd: z.string().describe('The directory that it starts in'),
  tenant: z.string().optional(),
  owner: z.string().optional(),
  labels: strings.optional(),
  limits: limits.describe('As accepted: what the request left open is decided'),
  shim_pid: z.int().optional().describe("The supervisor's pid"),
  pid: z.int().optional(),
  pgid: z.int().optional(),
  stdout: z.string().describe('The first bytes; at most the cap and 4 MiB'),
  stderr: z.string(),
  stdout_truncated: z.boolean().describe('The task wrote more than stdout shows'),
  stderr_truncated: z.boolean(),
  stdout_bytes: count.describe('What the task wrote, kept or not'),
  stderr_bytes: count,
  stdout_omitted_bytes: count.optional().describe('What was not kept, where something was not'),
  stderr_omitted_bytes: count.optional(),
  stdout_tail: z.string().optional().describe('The last bytes, where stdout does not show all'),
  stderr_tail: z.string().optional(),
  usage: usage.optional(),
  execution_plan: open.optional(),
  reservation: reservation.optional(),
  warnings: z
    .array(z.string())
    .optional()
    .describe("What of the task's files could not be read, kept or written, in words"),
  artifacts: z.object({
    task_dir: z.string(),
    request_path: z.string(),
    result_path: z.string(),
    stdout_path: z.string(),
    stderr_path: z.string(),
    script_path: z.string().optional(),
  }),
}) satisfies z.ZodType<TaskViewShape>;

const taskSummary = z.object({
  ...common,
  tenant: z.string().optional(),
  owner: z.string().optional(),
  labels: strings.optional(),
  command: z.string(),
}) satisfies z.ZodType<TaskSummary>;

const submitted = z.object({
  task_id: z.string(),
  handle_id: z.string(),
  status: z.literal('accepted'),
  warnings: z.array(z.string()).optional(),
}) satisfies z.ZodType<SubmitAnswer>;

const planned = z.object({ plan: open, reservation });

const event = z.object({
  seq: count,
  task_id: z.string(),
  handle_id: z.string(),
  event_type: z.enum(EVENT_TYPES),
  type: z.string(),
  timestamp: time,
  message: z.string().describe('What happened, in words'),
  data: z.unknown().optional(),
}) satisfies z.ZodType<EventView>;

const stream = z.enum(['stdout', 'stderr']);

const outputRange = z.object({
  task_id: z.string(),
  stream,
  offset: count.describe('First byte of data; beyond what was asked for where bytes are gone'),
  next_offset: count.describe('Where to go on reading'),
  data: z.string(),
  total_bytes: count,
  kept_bytes: count,
  omitted_bytes: count,
  eof: z.boolean(),
  warnings: z.array(z.string()).optional().describe('What could not be read that should be there, in words'),
  encoding: z.enum(['utf8', 'base64']),
});

const headTail = z.object({
  task_id: z.string(),
  stream,
  head: z.string(),
  tail: z.string(),
  head_bytes: count,
  tail_bytes: count,
  total_bytes: count,
  omitted_bytes: count,
  omitted_lines: count.optional(),
  total_lines: count.optional(),
  eof: z.boolean(),
  warnings: z.array(z.string()).optional().describe('What could not be read that should be there, in words'),
});

/** Name in the specification → shape. */
export const answers = {
  ErrorAnswer: z.object({ error }),
  SubmitOrDryRunAnswer: z.union([submitted, planned]),
  BatchAnswer: z.array(
    z.union([submitted, z.object({ task_id: z.string().optional(), error })]) satisfies z.ZodType<BatchItem>,
  ),
  TaskView: taskView,
  TaskPage: z.object({
    tasks: z.array(taskSummary),
    next_cursor: z.string().optional(),
  }) satisfies z.ZodType<TaskPage>,
  Request: open,
  Events: z.array(event),
  OutputAnswer: z.union([outputRange, headTail]),
  GcReport: z.object({
    dry_run: z.boolean(),
    candidates: count.describe('Tasks that were due'),
    removed: count.describe('Tasks that are gone; 0 for a dry run'),
    bytes_freed: count.describe('Disk space given back, or that would be'),
    tasks: z.array(z.string()).describe('The first 1,000 candidates'),
    skipped_pinned: count.describe('Old enough, and kept because they are pinned'),
    problems: z.array(z.string()).describe('What could not be removed, and why'),
    duration_ms: count,
  }) satisfies z.ZodType<GcReport>,
  DeleteAnswer: z.object({ task_id: z.string(), deleted: z.literal(true) }),
  Info: open,
  Capabilities: open,
  Config: open,
  Resources: open,
  Health: z.object({ status: z.enum(['ok', 'ready']), version: z.string() }),
  Welcome: z.object({ name: z.literal('execgo'), version: z.string(), links: strings }),
};

export type AnswerName = keyof typeof answers;
