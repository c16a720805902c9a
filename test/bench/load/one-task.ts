import { http } from '../../harness/http.js';
import type { BenchDaemon } from '../daemon.js';

interface Status {
  task_id: string;
  status: string;
  stdout_bytes: number;
}

/** Submits a task. @returns its id */
export async function submitTask(daemon: BenchDaemon, task: object): Promise<string> {
  const { status, body, text } = await http(daemon.url).post<Status>('/api/v1/tasks', task);
  if (status !== 200) throw new Error(`a submit was answered with ${status}: ${text}`);
  return body.task_id;
}

/** Waits for a task's end, however long that takes. @throws Error unless it ended as `expected` */
export async function endOf(daemon: BenchDaemon, taskId: string, expected = 'success'): Promise<Status> {
  for (;;) {
    const { body } = await http(daemon.url).get<Status>(`/api/v1/tasks/${taskId}?wait_ms=60000`);
    if (body.status === 'accepted' || body.status === 'running') continue;
    if (body.status !== expected) throw new Error(`a task ended as ${body.status}`);
    return body;
  }
}

/** A task that runs a shell script. */
export function shell(script: string, more: object = {}): object {
  return { execution: { kind: 'command', program: 'sh', args: ['-c', script] }, ...more };
}
