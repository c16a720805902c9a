import type { Outcome } from '../../supervisor/wire/protocol.js';
import { quoted } from '../../task/demands.js';
import type { Verdict } from '../../task/causes.js';
import type { TaskRecord } from '../../store/records.js';
import type { ErrorBody } from '../../task/error-body.js';
import { bodyOf, type ExecgoError } from '../../task/errors.js';
import type { ExecutionPlan } from '../../task/plan.js';
import type { Condition } from '../../task/dependencies.js';
import type { TaskRequest } from '../../task/request.js';
import type { TerminalStatus } from '../../task/states.js';

/** Which came first, a kill request or a passed deadline, if any. */
type FirstStop = 'timeout' | 'kill' | undefined;

type Failed = Extract<Verdict, { status: 'failed' }>;
type Cancelled = Extract<Verdict, { status: 'cancelled' }>;

const failed = (cause: Failed['cause'], code: ErrorBody['code'], message: string): Failed => ({
  status: 'failed',
  cause,
  error: { code, message },
});

/** A task that was killed while its attempt ran or was about to. */
export const CANCELLED: Verdict = {
  status: 'cancelled',
  cause: 'cancelled',
  error: { code: 'cancelled', message: 'task cancelled' },
};

/** A task that was killed before it ran. */
const CANCELLED_WAITING: Cancelled = {
  status: 'cancelled',
  cause: 'cancelled',
  error: { code: 'cancelled', message: 'task cancelled before execution' },
};

/** A task that was killed while it waited for another attempt. */
const CANCELLED_BETWEEN: Cancelled = {
  status: 'cancelled',
  cause: 'cancelled',
  error: { code: 'cancelled', message: 'task cancelled before its next attempt' },
};

/** A task that was killed while it waited. */
export function cancelledWaiting({ past_attempts }: Pick<TaskRecord, 'past_attempts'>): Cancelled {
  return past_attempts === 0 ? CANCELLED_WAITING : CANCELLED_BETWEEN;
}

/** A task that waited, and in whose place another one with its concurrency key has come. */
export function replacedBy(task: Pick<TaskRecord, 'past_attempts'>, by: TaskRecord): Verdict {
  const { error, ...cancelled } = cancelledWaiting(task);
  const key = quoted(by.request.policy.concurrency?.key ?? '');
  return {
    ...cancelled,
    error: {
      ...error,
      message: `${error.message}: task ${by.task_id} with concurrency key ${key} has come in its place`,
      details: { replaced_by: by.task_id },
    },
  };
}

/** A task that waited for another one which has not ended as it must. @param status undefined: nobody knows how it ended */
export function dependencyFailed({
  task_id,
  when,
  status,
}: Condition & { status: TerminalStatus | undefined }): Verdict {
  const how = status === undefined ? 'is not known any more' : ENDED[status];
  return {
    status: 'cancelled',
    cause: 'dependency',
    error: {
      code: 'dependency_failed',
      message: `dependency failed: task ${task_id} ${how}, and this one starts only after its ${when}`,
      details: { task_id, when, status },
    },
  };
}

const ENDED = { success: 'has succeeded', failed: 'has failed', cancelled: 'was cancelled' } as const;

/** A task whose end nobody saw. */
export const LOST: Verdict = failed('lost', 'internal', 'recovery_lost');

/** A task whose attempt could not begin. @param error why */
export function notLaunched(error: unknown): Verdict {
  return { status: 'failed', cause: 'launch', error: bodyOf(error) };
}

/**
 * A task that waited longer than its `queue_timeout_ms`.
 * @param why in words, if it could never have started
 */
export function queueTimeout({ limits }: TaskRequest, why: string | undefined): Verdict {
  const words = `task exceeded queue_timeout_ms: ${limits.queue_timeout_ms ?? 0} ms`;
  return failed('queue_timeout', 'timeout', why === undefined ? words : `${words}; ${why}`);
}

/** A task that was accepted, but that this host, or the present settings, cannot run as it requests. */
export function refusedPlan(error: ExecgoError): Verdict {
  const cause = error.code === 'unsupported_capability' ? 'sandbox' : 'launch';
  return { status: 'failed', cause, error: error.toBody() };
}

/**
 * Decides what an outcome means: what the supervisor ended it for, if its disk space was first; timed out or cancelled if one
 * was recorded (the first of them); otherwise the first that applies of: could not be launched, oom, cpu limit, exit 0, exit ≠ 0, signal.
 */
export function classify(outcome: Outcome, firstStop: FirstStop, plan: ExecutionPlan | null): Verdict {
  if (outcome.disk !== undefined)
    return failed('disk', 'disk_limit_exceeded', diskExceeded(outcome.disk, plan));
  if (firstStop === 'kill') return CANCELLED;
  if (outcome.failure !== undefined) {
    const { stage, message } = outcome.failure;
    return stage === 'launch'
      ? failed('launch', 'launch_failed', message)
      : failed('sandbox', 'sandbox_setup_failed', message);
  }
  if (firstStop === 'timeout') return failed('timeout', 'timeout', wallTimeExceeded(plan));
  if (outcome.oom) return failed('oom', 'memory_limit_exceeded', 'task exceeded memory limit');
  if (outcome.cpu_exceeded) return failed('cpu', 'cpu_limit_exceeded', 'task exceeded cpu_time_sec');
  if (outcome.exit_code === 0) return { status: 'success', cause: 'exit' };
  if (outcome.exit_code !== undefined)
    return failed('exit', 'exit_nonzero', `task exited with code ${outcome.exit_code}`);
  return failed('signal', 'signal', `task terminated by signal ${outcome.signal ?? 'unknown'}`);
}

function diskExceeded({ bytes, too_deep }: NonNullable<Outcome['disk']>, plan: ExecutionPlan | null): string {
  const limit = plan?.resource_enforcement.disk_bytes;
  const said = limit === undefined ? '' : `: ${limit} bytes`;
  if (too_deep === true) return `task exceeded disk_bytes${said}: its workspace is too deep to be measured`;
  return `task exceeded disk_bytes${said}; its workspace took ${bytes} or more`;
}

/** The message that clients know, followed by the limit and who set it. */
function wallTimeExceeded(plan: ExecutionPlan | null): string {
  const words = 'task exceeded wall_time_ms';
  if (plan === null) return words;
  const { wall_time_ms, wall_time_source } = plan.resource_enforcement;
  return wall_time_source === 'default'
    ? `${words}: ${wall_time_ms} ms, the default of the daemon; limits.wall_time_ms in the request sets another, 0 none`
    : `${words}: ${wall_time_ms} ms, as its request says`;
}
