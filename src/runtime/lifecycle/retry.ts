import type { LiveRecord, PastAttempt, Retry, RunningTask, TaskEnd } from '../../store/records.js';
import { messageOf } from '../../files/errno.js';
import { ExecgoError } from '../../task/errors.js';
import type { NewEvent } from '../../task/events.js';
import type { PlannedTask } from '../../task/plan.js';
import type { TaskRequest } from '../../task/request.js';
import { isRetried, raisedMemory, RETRY_CAUSES, retryDelayMs, type RetryPolicy } from '../../task/retry.js';
import type { Core } from '../core.js';
import type { Schedule } from '../schedule.js';
import { checkFits } from './check-fits.js';
import { planEdited, planEvents, withDecisions } from './plan.js';

type RetryingCore = Core & { schedule: Schedule };

/** What follows the end of an attempt. */
interface Sequel {
  /** Undefined: nothing. */
  retry?: Retry;
  /** Why no attempt follows although one should, in words. */
  problem?: string;
}

/**
 * What is written when another attempt is to follow one that has ended so. It is planned anew, because the last plan may be of an
 * earlier daemon. Nothing follows what never became an attempt.
 * @param startedAtMs when its process started, if that is known
 */
export function sequelOf(core: RetryingCore, record: LiveRecord, end: TaskEnd, startedAtMs?: number): Sequel {
  const { retry: policy } = record.request.policy;
  const attempt = record.past_attempts + 1;
  if (policy === undefined || record.status !== 'running' || record.attempt.launch_id === null) return {};
  if (!isRetried(policy, attempt, end, end.exit_code)) return {};
  const ended = pastAttempt(attempt, end, startedAtMs);
  if (ended === undefined) return {};
  try {
    return { retry: nextAttempt(core, record, policy, ended) };
  } catch (error) {
    if (!(error instanceof ExecgoError)) throw error;
    return { problem: `no further attempt: ${messageOf(error)}` };
  }
}

/** @throws ExecgoError when it could not run any more as it was requested, or can never fit */
function nextAttempt(
  core: RetryingCore,
  record: RunningTask,
  policy: RetryPolicy,
  ended: PastAttempt,
): Retry {
  const memory = ended.cause === 'oom' ? memoryFor(core, record, policy) : undefined;
  const { request: asked, planned } = planEdited(core, record, (before) =>
    memory === undefined ? before : { ...before, limits: { ...before.limits, memory_bytes: memory } },
  );
  checkFits(core, asked, planned);
  const at_ms = core.now();
  const delay = retryDelayMs(policy, ended.attempt);
  return {
    ...planned,
    request: memory === undefined ? record.request : withDecisions(asked, planned.plan, core.settings),
    ended,
    at_ms,
    eligible_ms: core.store.kept.clock.now() + delay,
    events: [
      ...failedEvents(record, ended, at_ms),
      {
        event_type: 'retry_scheduled',
        timestamp_ms: at_ms,
        data: { attempt: ended.attempt + 1, delay_ms: delay, memory_bytes: memory },
      },
      ...(isSame(planned, record) ? [] : planEvents(planned.plan, at_ms)),
    ],
  };
}

/** The next limit after one that was too small; undefined when it stays as it is. */
function memoryFor(
  { schedule: { ledger } }: RetryingCore,
  { request }: { request: TaskRequest },
  { memory_factor }: RetryPolicy,
): number | undefined {
  const { memory_bytes } = request.limits;
  if (memory_bytes === undefined || memory_factor === undefined) return undefined;
  const most = ledger.mostOf('memory_bytes', request.control_context?.tenant);
  const raised = raisedMemory(memory_bytes, memory_factor, most);
  return raised > memory_bytes ? raised : undefined;
}

function failedEvents(record: RunningTask, ended: PastAttempt, atMs: number): NewEvent[] {
  const { attempt, cause, exit_code, exit_signal, error } = ended;
  return [
    { event_type: 'resource_released', timestamp_ms: atMs, data: record.reservation ?? { task_slots: 1 } },
    {
      event_type: 'attempt_failed',
      timestamp_ms: atMs,
      message: `attempt ${attempt} failed: ${error.message}`,
      data: { attempt, cause, exit_code, exit_signal },
    },
  ];
}

function isSame({ plan, reservation }: PlannedTask, record: RunningTask): boolean {
  const before = { plan: record.plan, reservation: record.reservation };
  return JSON.stringify({ plan, reservation }) === JSON.stringify(before);
}

function pastAttempt(
  attempt: number,
  end: TaskEnd,
  started_at_ms: number | undefined,
): PastAttempt | undefined {
  const cause = RETRY_CAUSES.find((each) => each === end.cause);
  if (cause === undefined || end.error === undefined) return undefined;
  const { exit_code, exit_signal, finished_at_ms, usage, error, stdout_bytes, stderr_bytes } = end;
  return {
    ...{ attempt, cause, exit_code, exit_signal, started_at_ms, finished_at_ms, usage, error },
    ...{ stdout_bytes, stderr_bytes, warnings: end.warnings ?? [] },
  };
}
