import { randomUUID } from 'node:crypto';
import { ExecgoApiError, ExecgoConnectionError, type ExecgoClient } from '../client/index.js';
import type { SubmitAnswer, TaskSubmission } from '../client/index.js';

/**
 * Submits exactly once also when the connection is lost before the answer came: the task gets its id here, so that one
 * that was accepted can be told from one that was not. A request with an idempotency key stays as it is, since the id
 * would make it another request.
 */
export async function submitOnce(client: ExecgoClient, request: TaskSubmission): Promise<SubmitAnswer> {
  if ((request.control_context?.idempotency_key ?? '') !== '') return client.submit(request);
  const taskId = request.task_id ?? randomUUID();
  const named = { ...request, task_id: taskId };
  try {
    return await client.submit(named);
  } catch (error) {
    // An id that somebody else chose may be another task's: only one of ours tells that it was this request.
    if (typeof request.task_id === 'string' || !isLost(error)) throw error;
    return resubmit(client, named, taskId);
  }
}

async function resubmit(client: ExecgoClient, named: TaskSubmission, taskId: string): Promise<SubmitAnswer> {
  try {
    await client.status(taskId, { patient: true });
  } catch (error) {
    if (error instanceof ExecgoApiError && error.code === 'not_found') return client.submit(named);
    throw error;
  }
  return { task_id: taskId, handle_id: taskId, status: 'accepted' };
}

function isLost(error: unknown): boolean {
  return error instanceof ExecgoConnectionError && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}
