import type { Cause } from '../../task/causes.js';
import type { ErrorBody } from '../../task/errors.js';
import type { TaskStatus } from '../../task/states.js';
import type { Usage } from '../../task/view.js';
import { isPlainObject } from '../../task/plain-object.js';
import { jsonOrNull, parseJson } from '../database/json.js';
import { legacyRequest, type LegacyRequest } from './legacy-request.js';
import type { TaskRecord } from '../records.js';
import { RowReader } from '../row-reader.js';
import { isError, isErrorCode, isPlan, isRequest, isReservation, isTexts } from '../stored-shapes.js';

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

/** Columns as they are: an older database may hold anything in any of them, but for those that this type names. */
export interface TaskRow extends Record<string, unknown> {
  task_id: string;
  submit_seq: number;
  status: TaskStatus;
  cause: Cause | null;
}

/**
 * The record of a row. Where its files are follows from its id alone: the columns that say so are the older runtime's. What
 * cannot be read is empty, and named in `unreadable`.
 */
export function toRecord(row: TaskRow): TaskRecord {
  const reader = new RowReader();
  const whole = (name: string, min?: number) => reader.whole(name, row[name], min);
  const time = (name: string) => reader.time(name, row[name]);
  const text = (name: string) => reader.text(name, row[name]);
  const plan = reader.json('execution_plan', row.execution_plan_json, isPlan);
  const request = readRequest(row, reader);
  return {
    task_id: row.task_id,
    status: row.status,
    cause: row.cause,
    ...request,
    plan,
    reservation: reader.json('reservation', row.reservation_json, isReservation),
    created_at_ms: time('created_at_ms') ?? 0,
    updated_at_ms: time('updated_at_ms') ?? 0,
    started_at_ms: time('started_at_ms'),
    finished_at_ms: time('finished_at_ms'),
    duration_ms: whole('duration_ms', 0),
    shim_pid: whole('shim_pid', 0),
    pid: whole('pid', 0),
    pgid: whole('pgid', 0),
    start_ticks: whole('start_ticks', 0),
    exit_code: whole('exit_code'),
    exit_signal: whole('exit_signal'),
    error: readError(row, reader),
    usage: reader.numbers('usage', row.usage_json, 'duration_ms') as Usage | null,
    stdout_bytes: whole('stdout_bytes', 0),
    stderr_bytes: whole('stderr_bytes', 0),
    warnings: reader.json('warnings', row.warnings_json, isTexts),
    kill_requested: row.kill_requested === 1,
    kill_requested_at_ms: time('kill_requested_at_ms'),
    timeout_triggered: row.timeout_triggered === 1,
    // That it is held, or is not any more, counts also where nobody can say since when.
    reserved_at_ms: row.reserved_at_ms === null ? null : (time('reserved_at_ms') ?? 0),
    released_at_ms: row.released_at_ms === null ? null : (time('released_at_ms') ?? 0),
    submit_seq: row.submit_seq,
    launch_id: whole('launch_id', 0),
    launch_token: text('launch_token'),
    incarnation: text('incarnation'),
    ...(reader.unreadable.length === 0 ? {} : { unreadable: reader.unreadable }),
  };
}

/** A plan that cannot be read may have been a strict one: what is run by another might not be held as it should. */
function readRequest(row: TaskRow, reader: RowReader): LegacyRequest {
  const found = row.request_json === null ? legacyRequest(row) : ownRequest(row);
  if (!reader.unreadable.includes('execution_plan')) return found;
  return { request_problem: 'invalid input: execution_plan: cannot be read', ...found };
}

/** A request of ours is as it was accepted, unless somebody else has been at it. */
function ownRequest(row: TaskRow): LegacyRequest {
  const request = typeof row.request_json === 'string' ? parseJson(row.request_json) : undefined;
  if (isRequest(request)) return { request };
  const parts = Object.entries(isPlainObject(request) ? request : {});
  const columns = parts.map(([name, value]) => [`${name}_json`, jsonOrNull(value)] as const);
  const { request: readable, request_problem } = legacyRequest({
    ...Object.fromEntries(columns),
    task_id: row.task_id,
  });
  return { request: readable, request_problem: request_problem ?? 'invalid input: request: cannot be read' };
}

function readError(row: TaskRow, reader: RowReader): ErrorBody | null {
  const body = reader.json('error', row.error_json, isError);
  // An end by a signal was stored as a fault of execgo once.
  if (row.cause === 'signal' && body?.code === 'internal') return { ...body, code: 'signal' };
  const code = reader.text('error_code', row.error_code);
  if (body !== null || code === null) return body;
  if (isErrorCode(code)) return { code, message: code };
  reader.cannot('error_code');
  return { code: 'internal', message: code };
}
