import type { Cause } from '../../task/causes.js';
import type { ResourceItems } from '../../task/resources.js';
import type { TaskStatus } from '../../task/states.js';
import type { ErrorBody } from '../../task/error-body.js';
import type { KeptProgress } from '../../task/progress.js';
import type { Usage } from '../../task/view.js';
import { isPlainObject } from '../../task/plain-object.js';
import { jsonOrNull, parseJson } from '../database/json.js';
import { legacyRequest, type LegacyRequest } from './legacy-request.js';
import type { AttemptRecord, ProcessRecord, TaskFacts, TaskRecord, TaskState } from '../records.js';
import { RowReader } from '../row-reader.js';
import {
  isError,
  isErrorCode,
  isItems,
  isKillNote,
  isPlan,
  isProgress,
  isRequest,
  isReservation,
  isTexts,
} from '../stored-shapes.js';

const LIVE_COLUMNS = [
  ...[
    'status',
    'version',
    'updated_at_ms',
    'kill_requested',
    'kill_requested_at_ms',
    'kill_json',
    'timeout_triggered',
  ],
  ...['launch_id', 'launch_token', 'incarnation', 'shim_pid', 'reserved_at_ms', 'released_at_ms'],
  ...['started_at_ms', 'pid', 'pgid', 'start_ticks', 'paused_at_ms', 'items_json'],
  ...['past_attempts', 'eligible_ms', 'progress_json'],
];
const STATE_COLUMNS = [
  ...LIVE_COLUMNS,
  ...['cause', 'finished_at_ms', 'duration_ms', 'exit_code', 'exit_signal', 'stdout_bytes', 'stderr_bytes'],
  ...['error_code', 'error_json', 'usage_json', 'warnings_json', 'notices', 'follow_ups', 'retried_as'],
];

/** What {@link readState} needs of a row that is not terminal, and of one that is, for what an UPDATE returns. */
export const LIVE_STATE = LIVE_COLUMNS.join(', ');
export const ENDED_STATE = STATE_COLUMNS.join(', ');

/**
 * The row of a list of values: those that {@link LIVE_STATE} or {@link ENDED_STATE} names, in that order. Member by member: to
 * have rows made as objects takes twice as long as all else about reading them, and so does a loop over the names.
 */
export function stateRow(v: readonly unknown[]): StateRow {
  return {
    status: v[0] as TaskStatus,
    version: v[1],
    updated_at_ms: v[2],
    kill_requested: v[3],
    kill_requested_at_ms: v[4],
    kill_json: v[5],
    timeout_triggered: v[6],
    launch_id: v[7],
    launch_token: v[8],
    incarnation: v[9],
    shim_pid: v[10],
    reserved_at_ms: v[11],
    released_at_ms: v[12],
    started_at_ms: v[13],
    pid: v[14],
    pgid: v[15],
    start_ticks: v[16],
    paused_at_ms: v[17],
    items_json: v[18],
    past_attempts: v[19],
    eligible_ms: v[20],
    progress_json: v[21],
    cause: v[22] as Cause | null,
    finished_at_ms: v[23],
    duration_ms: v[24],
    exit_code: v[25],
    exit_signal: v[26],
    stdout_bytes: v[27],
    stderr_bytes: v[28],
    error_code: v[29],
    error_json: v[30],
    usage_json: v[31],
    warnings_json: v[32],
    notices: v[33],
    follow_ups: v[34],
    retried_as: v[35],
  };
}

/** What the items of a row are called where they cannot be read. */
export const ITEMS = 'resource_items';

/** The columns that a {@link TaskRow} is made of, for a SELECT. */
export const TASK_COLUMNS = [
  ...STATE_COLUMNS,
  ...['task_id', 'submit_seq', 'created_at_ms', 'retry_of', 'reservation_json', 'execution_plan_json'],
  'request_json',
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
  const { request, request_problem } = readRequest(row, reader);
  const reservation = reader.json('reservation', row.reservation_json, isReservation);
  const created_at_ms = reader.time('created_at_ms', row.created_at_ms) ?? 0;
  const retry_of = reader.text('retry_of', row['retry_of']) ?? undefined;
  const state = readState(row, reader);
  readRest(row, reader);
  const { task_id, submit_seq } = row;
  const unreadable = reader.unreadable.length === 0 ? undefined : reader.unreadable;
  return withState(
    { task_id, submit_seq, request, retry_of, request_problem, unreadable, plan, reservation, created_at_ms },
    state,
  );
}

/** The record of a task whose state has changed. */
export function withState(task: TaskFacts, state: TaskState): TaskRecord {
  const {
    task_id,
    submit_seq,
    request,
    retry_of,
    request_problem,
    unreadable,
    plan,
    reservation,
    created_at_ms,
  } = task;
  // Every record is made here, member by member: objects that are made by spreads are several times as slow, to make and to use.
  return Object.assign(
    { task_id, submit_seq, request, retry_of, request_problem, unreadable, plan, reservation, created_at_ms },
    state,
  );
}

export function readState(row: StateRow, reader = new RowReader()): TaskState {
  const { status } = row;
  const version = reader.whole('version', row['version'], 0) ?? 0;
  const updated_at_ms = reader.time('updated_at_ms', row.updated_at_ms) ?? 0;
  const killed = reader.time('kill_requested_at_ms', row.kill_requested_at_ms);
  // That it was asked for, or is held, counts also where nobody can say since when.
  const kill_requested_at_ms = row.kill_requested === 1 ? (killed ?? 0) : undefined;
  const kill_note = reader.json('kill', row['kill_json'], isKillNote) ?? undefined;
  const past_attempts = reader.whole('past_attempts', row['past_attempts'], 0) ?? 0;
  if (status === 'accepted') {
    const eligible_ms = reader.whole('eligible_ms', row['eligible_ms']) ?? undefined;
    const failed_at_ms =
      past_attempts > 0 ? (reader.time('released_at_ms', row.released_at_ms) ?? undefined) : undefined;
    return {
      status,
      version,
      past_attempts,
      updated_at_ms,
      kill_requested_at_ms,
      kill_note,
      failed_at_ms,
      eligible_ms,
    };
  }
  const attempt = readAttempt(row, reader);
  const process = readProcess(row, reader);
  if (status === 'running') {
    const isHeld = row.reserved_at_ms !== null && row.released_at_ms === null;
    const reserved_at_ms = isHeld ? (reader.time('reserved_at_ms', row.reserved_at_ms) ?? 0) : undefined;
    const timed_out = row.timeout_triggered === 1;
    const paused_at_ms = reader.time('paused_at_ms', row.paused_at_ms) ?? undefined;
    const items = readItems(row, reader);
    const progress = readProgress(row, reader);
    return {
      status,
      version,
      past_attempts,
      updated_at_ms,
      kill_requested_at_ms,
      kill_note,
      attempt,
      process,
      reserved_at_ms,
      items,
      timed_out,
      paused_at_ms,
      progress,
    };
  }
  return Object.assign(readEnd(row, reader), {
    status,
    version,
    past_attempts,
    updated_at_ms,
    finished_at_ms: reader.time('finished_at_ms', row.finished_at_ms) ?? updated_at_ms,
    kill_requested_at_ms,
    kill_note,
    attempt: attempt.launch_id === null && attempt.shim_pid === undefined ? undefined : attempt,
    process,
    items: readItems(row, reader),
    progress: readProgress(row, reader),
  });
}

function readEnd(row: StateRow, reader: RowReader) {
  return {
    cause: row.cause ?? 'lost',
    duration_ms: reader.whole('duration_ms', row.duration_ms, 0) ?? undefined,
    exit_code: reader.whole('exit_code', row.exit_code) ?? undefined,
    exit_signal: reader.whole('exit_signal', row.exit_signal) ?? undefined,
    error: readError(row, reader) ?? undefined,
    usage: (reader.numbers('usage', row.usage_json, 'duration_ms') ?? undefined) as Usage | undefined,
    stdout_bytes: reader.whole('stdout_bytes', row.stdout_bytes, 0) ?? undefined,
    stderr_bytes: reader.whole('stderr_bytes', row.stderr_bytes, 0) ?? undefined,
    warnings: reader.json('warnings', row.warnings_json, isTexts) ?? [],
    notices: reader.whole('notices', row['notices'], 0) ?? 0,
    retried_as: reader.text('retried_as', row['retried_as']) ?? undefined,
    follow_ups: reader.whole('follow_ups', row['follow_ups'], 0) ?? 0,
  };
}

/** Reads what the status has no use for, so that a value that makes no sense is named there as well. */
function readRest(row: StateRow, reader: RowReader): void {
  reader.time('reserved_at_ms', row.reserved_at_ms);
  reader.time('released_at_ms', row.released_at_ms);
  reader.time('paused_at_ms', row.paused_at_ms);
  readItems(row, reader);
  readProgress(row, reader);
  reader.whole('eligible_ms', row['eligible_ms']);
  if (row.status !== 'accepted' && row.status !== 'running') return;
  readAttempt(row, reader);
  readProcess(row, reader);
  readEnd(row, reader);
  reader.time('finished_at_ms', row.finished_at_ms);
}

function readProgress(row: StateRow, reader: RowReader): KeptProgress | undefined {
  return reader.json('progress', row['progress_json'], isProgress) ?? undefined;
}

function readItems(row: StateRow, reader: RowReader): ResourceItems | undefined {
  return reader.json(ITEMS, row.items_json, isItems) ?? undefined;
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
