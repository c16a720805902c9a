import type { Cause } from '../task/causes.js';
import type { ErrorBody, ErrorCode } from '../task/errors.js';
import type { ExecutionPlan } from '../task/plan.js';
import type { TaskRequest } from '../task/request.js';
import type { Resources } from '../task/resources.js';
import type { TaskStatus } from '../task/states.js';
import type { Usage } from '../task/view.js';
import { parseJson } from './json.js';
import { legacyRequest, type LegacyColumns } from './legacy-request.js';
import type { TaskRecord } from './records.js';

/** Columns that stand in the record under their own name and as they are. */
const PLAIN = [
  ...([
    'task_id',
    'submit_seq',
    'created_at_ms',
    'updated_at_ms',
    'started_at_ms',
    'finished_at_ms',
  ] as const),
  ...(['duration_ms', 'shim_pid', 'pid', 'pgid', 'start_ticks', 'exit_code', 'exit_signal'] as const),
  ...(['stdout_bytes', 'stderr_bytes', 'kill_requested_at_ms', 'reserved_at_ms', 'released_at_ms'] as const),
  ...(['launch_id', 'launch_token', 'incarnation'] as const),
];

/** The columns that a {@link TaskRow} is made of, for a SELECT. */
export const TASK_COLUMNS = [
  ...PLAIN,
  ...['status', 'cause', 'kill_requested', 'timeout_triggered', 'error_code', 'error_json', 'usage_json'],
  'warnings_json',
  ...['reservation_json', 'execution_plan_json', 'request_json'],
  // The request's parts are read for rows of the older runtime only: ours have them in request_json.
  ...['limits_json', 'sandbox_json', 'metadata_json', 'control_context_json', 'execution_json'].map(
    (c) => `CASE WHEN request_json IS NULL THEN ${c} END AS ${c}`,
  ),
].join(', ');

export interface TaskRow extends Pick<TaskRecord, (typeof PLAIN)[number]>, LegacyColumns {
  status: TaskStatus;
  cause: Cause | null;
  kill_requested: number;
  timeout_triggered: number;
  error_code: string | null;
  error_json: string | null;
  usage_json: string | null;
  warnings_json: string | null;
  reservation_json: string | null;
  execution_plan_json: string | null;
  request_json: string | null;
}

/** The record of a row. Where its files are follows from its id alone: the columns that say so are the older runtime's. */
export function toRecord(row: TaskRow): TaskRecord {
  return {
    task_id: row.task_id,
    status: row.status,
    cause: row.cause,
    ...(row.request_json === null
      ? legacyRequest(row)
      : { request: JSON.parse(row.request_json) as TaskRequest }),
    plan: parseJson(row.execution_plan_json) as ExecutionPlan | null,
    reservation: parseJson(row.reservation_json) as Resources | null,
    created_at_ms: row.created_at_ms,
    updated_at_ms: row.updated_at_ms,
    started_at_ms: row.started_at_ms,
    finished_at_ms: row.finished_at_ms,
    duration_ms: row.duration_ms,
    shim_pid: row.shim_pid,
    pid: row.pid,
    pgid: row.pgid,
    start_ticks: row.start_ticks,
    exit_code: row.exit_code,
    exit_signal: row.exit_signal,
    error: toError(row),
    usage: parseJson(row.usage_json) as Usage | null,
    stdout_bytes: row.stdout_bytes,
    stderr_bytes: row.stderr_bytes,
    warnings: parseJson(row.warnings_json) as string[] | null,
    kill_requested: row.kill_requested === 1,
    kill_requested_at_ms: row.kill_requested_at_ms,
    timeout_triggered: row.timeout_triggered === 1,
    reserved_at_ms: row.reserved_at_ms,
    released_at_ms: row.released_at_ms,
    submit_seq: row.submit_seq,
    launch_id: row.launch_id,
    launch_token: row.launch_token,
    incarnation: row.incarnation,
  };
}

function toError(row: TaskRow): ErrorBody | null {
  const body = parseJson(row.error_json) as ErrorBody | null;
  // An end by a signal was stored as a fault of execgo once.
  if (row.cause === 'signal' && body?.code === 'internal') return { ...body, code: 'signal' };
  if (body !== null || row.error_code === null) return body;
  return { code: row.error_code as ErrorCode, message: row.error_code };
}
