import { http } from '../../harness/http.js';
import type { BenchDaemon } from '../daemon.js';

const BATCH = 1000;

/** Submits tasks, taken in turn from `tasks`, until so many wait. @returns how many that were */
export async function fillQueue(
  daemon: BenchDaemon,
  tasks: readonly object[],
  waiting: number,
): Promise<number> {
  const client = http(daemon.url);
  const missing = waiting - (await load(daemon)).waiting;
  for (let left = missing; left > 0; left -= BATCH) {
    const batch = Array.from({ length: Math.min(left, BATCH) }, (_, i) => tasks[i % tasks.length]);
    const { status, text } = await client.post('/api/v1/tasks/batch', { tasks: batch });
    if (status !== 200) throw new Error(`a batch was answered with ${status}: ${text.slice(0, 500)}`);
  }
  return Math.max(0, missing);
}

/** How many tasks have a reservation, and how many wait for one. */
export async function load(daemon: BenchDaemon): Promise<{ running: number; waiting: number }> {
  const { body } = await http(daemon.url).get<{
    active_reservations: unknown[];
    accepted_waiting_tasks: number;
  }>('/api/v1/runtime/resources');
  return { running: body.active_reservations.length, waiting: body.accepted_waiting_tasks };
}
