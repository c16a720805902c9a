import { ExecgoApiError, ExecgoConnectionError, type ExecgoClient } from '../client/index.js';
import type { SubmitAnswer, TaskSubmission } from '../client/index.js';
import { makeTaskId } from '../task/task-id.js';
import { typedCommand } from './typed-command.js';
import { MAX_TIMER_MS } from './units.js';

/**
 * Submits exactly once, even if the connection is lost before the answer arrives. The task gets its id here, so that a
 * second try finds out whether the first was accepted. A request with an idempotency key needs no id, and is sent unchanged:
 * an id would make it a different request.
 */
export async function submitOnce(
  client: ExecgoClient,
  request: TaskSubmission,
  { signal, newId = makeTaskId(Date.now()) }: { signal?: AbortSignal | undefined; newId?: string } = {},
): Promise<SubmitAnswer> {
  if (hasKey(request)) return client.submit(request, { signal });
  const named = { ...request, task_id: request.task_id ?? newId };
  try {
    return await client.submit(named, { signal });
  } catch (error) {
    // An id chosen by the user may be that of another task, so finding it would not prove that this request was accepted.
    if (typeof request.task_id === 'string' || !isLost(error)) throw error;
    return resubmit(client, named, newId, signal);
  }
}

/** No answer came in time; the task may still have been accepted. */
export class SubmitTimeout extends Error {
  override readonly name = 'SubmitTimeout';
}

/**
 * As {@link submitOnce}, with a limit of `timeoutMs` milliseconds.
 * @throws SubmitTimeout, which says how to find out whether the task was accepted
 */
export async function submitWithin(
  client: ExecgoClient,
  request: TaskSubmission,
  { server, timeoutMs }: { server: string; timeoutMs?: number | undefined },
): Promise<SubmitAnswer> {
  if (timeoutMs === undefined) return submitOnce(client, request);
  const newId = makeTaskId(Date.now());
  const signal = AbortSignal.timeout(Math.min(timeoutMs, MAX_TIMER_MS));
  try {
    return await submitOnce(client, request, { signal, newId });
  } catch (error) {
    if (error !== signal.reason) throw error;
    const how = hasKey(request)
      ? 'submitting it again with the same key tells, and makes no second task'
      : `${typedCommand('status', [request.task_id ?? newId], { server })} tells`;
    throw new SubmitTimeout(
      `no answer within ${String(timeoutMs)} ms; whether the task was accepted all the same, ${how}`,
    );
  }
}

function hasKey(request: TaskSubmission): boolean {
  return (request.control_context?.idempotency_key ?? '') !== '';
}

async function resubmit(
  client: ExecgoClient,
  named: TaskSubmission,
  taskId: string,
  signal: AbortSignal | undefined,
): Promise<SubmitAnswer> {
  try {
    await client.status(taskId, { patient: true, signal });
  } catch (error) {
    if (error instanceof ExecgoApiError && error.code === 'not_found')
      return client.submit(named, { signal });
    throw error;
  }
  return { task_id: taskId, handle_id: taskId, status: 'accepted' };
}

function isLost(error: unknown): boolean {
  return error instanceof ExecgoConnectionError && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}
