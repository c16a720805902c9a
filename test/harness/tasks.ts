import type { TaskView } from '../../src/task/view.js';
import { http } from './http.js';
import { waitFor } from './wait.js';

/** As much of a daemon as is needed to talk to it. */
interface Served {
  url: string;
}

const FINAL: readonly string[] = ['success', 'failed', 'cancelled'];
/** One call waits this long at most, in milliseconds; many calls make a longer wait. */
const WAIT_MS = 10_000;

/**
 * Submits `request` and returns its id.
 * @throws Error with the daemon's answer when it refuses.
 */
export async function submit(daemon: Served, request: object): Promise<string> {
  const answer = await http(daemon.url).post<{ task_id: string }>('/api/v1/tasks', request);
  if (answer.status !== 200) throw new Error(`submit was answered with ${answer.status}: ${answer.text}`);
  return answer.body.task_id;
}

/**
 * The status object of a task once it is terminal.
 * @throws Error when it is not within `timeoutMs` (20 s by default), or when the daemon does not know it.
 */
export async function waitForEnd(daemon: Served, taskId: string, timeoutMs?: number): Promise<TaskView> {
  let last = 'nothing';
  const path = `/api/v1/tasks/${taskId}?wait_ms=${WAIT_MS}`;
  const end = async () => {
    const answer = await http(daemon.url).get<TaskView>(path);
    if (answer.status !== 200) throw new Error(`status was answered with ${answer.status}: ${answer.text}`);
    last = answer.text;
    return FINAL.includes(answer.body.status) ? answer.body : undefined;
  };
  return waitFor(end, {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    what: `the end of task ${taskId}`,
  }).catch((error: unknown) => {
    throw new Error(`task ${taskId} did not end; its last status: ${last.slice(0, 2000)}`, { cause: error });
  });
}

/** {@link submit} and {@link waitForEnd} in one. */
export async function submitAndWait(daemon: Served, request: object, timeoutMs?: number): Promise<TaskView> {
  return waitForEnd(daemon, await submit(daemon, request), timeoutMs);
}

/** The `event_type`s of a task, in order. */
export async function eventTypes(daemon: Served, taskId: string): Promise<string[]> {
  const answer = await http(daemon.url).get<{ event_type: string }[]>(`/api/v1/tasks/${taskId}/events`);
  if (answer.status !== 200) throw new Error(`events were answered with ${answer.status}: ${answer.text}`);
  return answer.body.map((event) => event.event_type);
}

/** A request that runs `program` with `args`; `more` goes over it. */
export function command(program: string, args: readonly string[] = [], more: object = {}): object {
  return { execution: { kind: 'command', program, args }, ...more };
}

/** A request that runs `script` with /bin/sh; `more` goes over it. */
export function script(text: string, more: object = {}): object {
  return { execution: { kind: 'script', script: text }, ...more };
}
