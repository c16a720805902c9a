import type { Cause } from '../../task/causes.js';
import type { TaskStatus } from '../../task/states.js';
import type { ErrorBody } from '../../task/error-body.js';
import type { Usage } from '../../task/view.js';
import { isPlainObject } from '../../task/plain-object.js';
import { jsonOrNull, parseJson } from '../database/json.js';
import { legacyRequest, type LegacyRequest } from './legacy-request.js';
import type { AttemptRecord, ProcessRecord, TaskFacts, TaskRecord, TaskState } from '../records.js';
import { RowReader } from '../row-reader.js';
import { isError, isErrorCode, isPlan, isRequest, isReservation, isTexts } from '../stored-shapes.js';

/** What changes in a row, for a SELECT and for what an UPDATE returns. */
export const STATE_COLUMNS = [
  ...['status', 'cause', 'updated_at_ms', 'started_at_ms', 'finished_at_ms', 'duration_ms'],
  ...['launch_id', 'launch_token', 'incarnation', 'shim_pid', 'pid', 'pgid', 'start_ticks'],
  ...['exit_code', 'exit_signal', 'stdout_bytes', 'stderr_bytes', 'kill_requested', 'kill_requested_at_ms'],
  ...['timeout_triggered', 'reserved_at_ms', 'released_at_ms'],
  ...['error_code', 'error_json', 'usage_json', 'warnings_json'],
].join(', ');

/** The columns that a {@link TaskRow} is made of, for a SELECT. */
export const TASK_COLUMNS = [
  STATE_COLUMNS,
  ...['task_id', 'submit_seq', 'created_at_ms', 'reservation_json', 'execution_plan_json', 'request_json'],
  // The request's parts are read only for rows of the older runtime; ours have them all in request_json.
  ...['limits_json', 'sandbox_json', 'metadata_json', 'control_context_json', 'execution_json'].map(
    (c) => `CASE WHEN request_json IS NULL THEN ${c} END AS ${c}`,
  ),
].join(', ');

/** Columns as they were stored: an older database may hold anything in those that this type does not name. */
export interface StateRow extends Record<string, unknown> {
  status: TaskStatus;
  cause: Cause | null;
}

export interface TaskRow extends StateRow {
  task_id: string;
  submit_seq: number;
}

/**
 * The record of a row. The paths of its files follow from its id alone, not from the older runtime's columns. A value that
 * cannot be read is empty, and named in `unreadable`.
 */
export function toRecord(row: TaskRow): TaskRecord {
  const reader = new RowReader();
  const plan = reader.json('execution_plan', row.execution_plan_json, isPlan);
  const facts = {
    task_id: row.task_id,
    submit_seq: row.submit_seq,
    ...readRequest(row, reader),
    plan,
    reservation: reader.json('reservation', row.reservation_json, isReservation),
    created_at_ms: reader.time('created_at_ms', row.created_at_ms) ?? 0,
  };
  const state = readState(row, reader);
  return {
    ...facts,
    ...state,
    ...(reader.unreadable.length === 0 ? {} : { unreadable: reader.unreadable }),
  };
}

/** What a record keeps while its state changes. */
export function factsOf(task: TaskRecord): TaskFacts {
  const { task_id, submit_seq, request, request_problem, unreadable, plan, reservation, created_at_ms } =
    task;
  return {
    ...{ task_id, submit_seq, request, plan, reservation, created_at_ms },
    ...(request_problem === undefined ? {} : { request_problem }),
    ...(unreadable === undefined ? {} : { unreadable }),
  };
}

/** Every column is read, so that each that makes no sense is named, also where the status has no use for it. */
export function readState(row: StateRow, reader = new RowReader()): TaskState {
  const whole = (name: string, min?: number) => reader.whole(name, row[name], min) ?? undefined;
  const time = (name: string) => reader.time(name, row[name]) ?? undefined;
  const attempt = readAttempt(row, reader);
  const process = readProcess(row, reader);
  const end = {
    duration_ms: whole('duration_ms', 0),
    exit_code: whole('exit_code'),
    exit_signal: whole('exit_signal'),
    error: readError(row, reader) ?? undefined,
    usage: (reader.numbers('usage', row.usage_json, 'duration_ms') ?? undefined) as Usage | undefined,
    stdout_bytes: whole('stdout_bytes', 0),
    stderr_bytes: whole('stderr_bytes', 0),
    warnings: reader.json('warnings', row.warnings_json, isTexts) ?? [],
  };
  const [reserved, finished] = [time('reserved_at_ms'), time('finished_at_ms')];
  time('released_at_ms');
  const killed = time('kill_requested_at_ms');
  const any = {
    updated_at_ms: time('updated_at_ms') ?? 0,
    // That it was asked for, or is held, counts also where nobody can say since when.
    kill_requested_at_ms: row.kill_requested === 1 ? (killed ?? 0) : undefined,
  };
  if (row.status === 'accepted') return { ...any, status: row.status };
  if (row.status === 'running')
    return {
      ...any,
      status: row.status,
      attempt,
      process,
      reserved_at_ms:
        row.reserved_at_ms !== null && row.released_at_ms === null ? (reserved ?? 0) : undefined,
      timed_out: row.timeout_triggered === 1,
    };
  return {
    ...any,
    ...end,
    status: row.status,
    cause: row.cause ?? 'lost',
    finished_at_ms: finished ?? any.updated_at_ms,
    attempt: attempt.launch_id === null && attempt.shim_pid === undefined ? undefined : attempt,
    process,
  };
}

function readAttempt(row: StateRow, reader: RowReader): AttemptRecord {
  const launch_id = reader.whole('launch_id', row.launch_id, 0);
  const launch_token = reader.text('launch_token', row.launch_token);
  const incarnation = reader.text('incarnation', row.incarnation);
  const shim_pid = reader.whole('shim_pid', row.shim_pid, 0) ?? undefined;
  if (launch_id === null || launch_token === null || incarnation === null)
    return { launch_id: null, shim_pid };
  return { launch_id, launch_token, incarnation, shim_pid };
}

function readProcess(row: StateRow, reader: RowReader): ProcessRecord | undefined {
  const whole = (name: string) => reader.whole(name, row[name], 0) ?? undefined;
  const started_at_ms = reader.time('started_at_ms', row.started_at_ms);
  const ids = { pid: whole('pid'), pgid: whole('pgid'), start_ticks: whole('start_ticks') };
  return started_at_ms === null ? undefined : { started_at_ms, ...ids };
}

/** A plan that cannot be read may have been a strict one: with another plan the limits might not be enforced as promised. */
function readRequest(row: TaskRow, reader: RowReader): LegacyRequest {
  const found = row.request_json === null ? legacyRequest(row) : ownRequest(row);
  if (!reader.unreadable.includes('execution_plan')) return found;
  return { request_problem: 'invalid input: execution_plan: cannot be read', ...found };
}

/** The request as it was accepted, unless somebody else has changed the row. */
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

function readError(row: StateRow, reader: RowReader): ErrorBody | null {
  const body = reader.json('error', row.error_json, isError);
  // Earlier versions stored an end by a signal as an internal error.
  if (row.cause === 'signal' && body?.code === 'internal') return { ...body, code: 'signal' };
  const code = reader.text('error_code', row.error_code);
  if (body !== null || code === null) return body;
  if (isErrorCode(code)) return { code, message: code };
  reader.cannot('error_code');
  return { code: 'internal', message: code };
}
