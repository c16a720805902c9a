import type { Cause } from './causes.js';
import type { ErrorBody } from './errors.js';
import type { ExecutionPlan } from './plan.js';
import type { Limits } from './request.js';
import type { Resources } from './resources.js';
import type { TaskStatus } from './states.js';

/** Milliseconds and bytes. Peak memory is absent where nothing measured it. */
export interface Usage {
  duration_ms: number;
  user_cpu_ms?: number | undefined;
  system_cpu_ms?: number | undefined;
  max_rss_bytes?: number | undefined;
  memory_peak_bytes?: number | undefined;
  /** Processes of the task that the kernel killed for want of memory; absent where nothing counted them. */
  oom_kills?: number | undefined;
  /** Live figures only: share of one core in percent, and resident bytes, over the whole tree. */
  cpu_percent?: number | undefined;
  memory_bytes?: number | undefined;
  processes?: number | undefined;
}

export interface Artifacts {
  task_dir: string;
  request_path: string;
  result_path: string;
  stdout_path: string;
  stderr_path: string;
  script_path?: string | undefined;
}

/** Why a task that is accepted does not start. */
export interface Waiting {
  /** `demands`: this machine is not what the task demands. */
  reason: 'demands';
  /** The reason in words. */
  detail: string;
  since: string;
}

/** The status object, also what `result.json` holds. Times are RFC 3339 UTC. */
export interface TaskView {
  task_id: string;
  handle_id: string;
  status: TaskStatus;
  /** While it is accepted: why it cannot start, where more than room is missing. */
  waiting?: Waiting | undefined;
  cause?: Cause | undefined;
  created_at: string;
  updated_at: string;
  started_at?: string | undefined;
  finished_at?: string | undefined;
  duration_ms?: number | undefined;
  shim_pid?: number | undefined;
  pid?: number | undefined;
  pgid?: number | undefined;
  exit_code?: number | undefined;
  exit_signal?: number | undefined;
  stdout: string;
  stderr: string;
  /** True when the task wrote more than `stdout` shows. */
  stdout_truncated: boolean;
  stderr_truncated: boolean;
  /** Bytes the task wrote, kept or not. */
  stdout_bytes: number;
  stderr_bytes: number;
  /** Bytes between the beginning and the end of a stream that were not kept; absent where all of it is. */
  stdout_omitted_bytes?: number | undefined;
  stderr_omitted_bytes?: number | undefined;
  /** The last bytes of a stream of which `stdout` does not show all. */
  stdout_tail?: string | undefined;
  stderr_tail?: string | undefined;
  /** What of the task's files could not be read, kept or written, in words for people. */
  warnings?: string[] | undefined;
  kill_requested: boolean;
  /** Program and arguments, or the script's first line, for people: a long one is cut. */
  command: string;
  /** The directory that it starts in, as it sees it. */
  cwd: string;
  tenant?: string | undefined;
  owner?: string | undefined;
  labels?: Record<string, string> | undefined;
  /** As they were accepted: what the request left open is decided. */
  limits: Limits;
  queue: string;
  lane?: string | undefined;
  priority: number;
  session_id?: string | undefined;
  error?: ErrorBody | undefined;
  usage?: Usage | undefined;
  execution_plan?: ExecutionPlan | undefined;
  reservation?: Resources | undefined;
  artifacts: Artifacts;
  metadata?: Record<string, string> | undefined;
}

/** A line of the task list: the status object without output, plan and artifacts; no environment values. */
export interface TaskSummary {
  task_id: string;
  handle_id: string;
  status: TaskStatus;
  /** While it is accepted: why it cannot start, where more than room is missing. */
  waiting?: Waiting | undefined;
  cause?: Cause | undefined;
  created_at: string;
  updated_at: string;
  started_at?: string | undefined;
  finished_at?: string | undefined;
  duration_ms?: number | undefined;
  exit_code?: number | undefined;
  exit_signal?: number | undefined;
  error?: ErrorBody | undefined;
  kill_requested: boolean;
  tenant?: string | undefined;
  owner?: string | undefined;
  queue: string;
  lane?: string | undefined;
  priority: number;
  session_id?: string | undefined;
  labels?: Record<string, string> | undefined;
  metadata?: Record<string, string> | undefined;
  /** Program and arguments, or the script's first line, for people. */
  command: string;
}

/** The answer to a submit. `status` is always `accepted`, in a replay too. */
export interface SubmitAnswer {
  task_id: string;
  handle_id: string;
  status: 'accepted';
  warnings?: string[] | undefined;
}

/** An event as it goes over the wire. */
export interface EventView {
  seq: number;
  task_id: string;
  handle_id: string;
  event_type: string;
  type: string;
  timestamp: string;
  /** What happened, in words. */
  message: string;
  data?: unknown;
}
