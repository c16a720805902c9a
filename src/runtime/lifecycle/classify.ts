import type { Outcome } from '../../supervisor/wire/protocol.js';
import type { Verdict } from '../../task/causes.js';
import type { ErrorBody } from '../../task/error-body.js';
import { ExecgoError } from '../../task/errors.js';
import type { ExecutionPlan } from '../../task/plan.js';
import type { TaskRequest } from '../../task/request.js';

/** Which of a kill request and a passed deadline was recorded first, if any. */
type FirstStop = 'timeout' | 'kill' | undefined;

type Failed = Extract<Verdict, { status: 'failed' }>;

const failed = (cause: Failed['cause'], code: ErrorBody['code'], message: string): Failed => ({
  status: 'failed',
  cause,
  error: { code, message },
});

/** The end of a task that was killed while it ran or was about to. */
export const CANCELLED: Verdict = {
  status: 'cancelled',
  cause: 'cancelled',
  error: { code: 'cancelled', message: 'task cancelled' },
};

/** The end of a task that was killed while it waited. */
export const CANCELLED_WAITING: Verdict = {
  status: 'cancelled',
  cause: 'cancelled',
  error: { code: 'cancelled', message: 'task cancelled before execution' },
};

/** The end of a task whose end nobody saw. */
export const LOST: Verdict = failed('lost', 'internal', 'recovery_lost');

/** The end of a task that could not be launched. @param error why */
export function notLaunched(error: unknown): Verdict {
  const internal = {
    code: 'internal',
    message: 'internal error; the log of the daemon has the details',
  } as const;
  return {
    status: 'failed',
    cause: 'launch',
    error: error instanceof ExecgoError ? error.toBody() : internal,
  };
}

/**
 * The end of a task that waited longer than its `queue_timeout_ms`.
 * @param why it could not have started at all, in words
 */
export function queueTimeout({ limits }: TaskRequest, why: string | undefined): Verdict {
  const words = `task exceeded queue_timeout_ms: ${limits.queue_timeout_ms ?? 0} ms`;
  return failed('queue_timeout', 'timeout', why === undefined ? words : `${words}; ${why}`);
}

/** The end of a task that was accepted once and that this host, or these settings, cannot run as it asks. */
export function refusedPlan(error: ExecgoError): Verdict {
  const cause = error.code === 'unsupported_capability' ? 'sandbox' : 'launch';
  return { status: 'failed', cause, error: error.toBody() };
}

/**
 * The first recorded of timed out and cancelled; else the first that applies: could not launch, oom, cpu limit, exit 0,
 * exit ≠ 0, signal.
 */
export function classify(outcome: Outcome, firstStop: FirstStop, plan: ExecutionPlan | null): Verdict {
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

/** The words that clients know, then the limit and who set it. */
function wallTimeExceeded(plan: ExecutionPlan | null): string {
  const words = 'task exceeded wall_time_ms';
  if (plan === null) return words;
  const { wall_time_ms, wall_time_source } = plan.resource_enforcement;
  return wall_time_source === 'default'
    ? `${words}: ${wall_time_ms} ms, the default of the daemon; limits.wall_time_ms in the request sets another, 0 none`
    : `${words}: ${wall_time_ms} ms, as its request says`;
}
