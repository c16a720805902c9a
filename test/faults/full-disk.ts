import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readJournal } from '../../src/supervisor/journal/journal.js';
import type { TaskView } from '../../src/task/view.js';
import { command, type Daemon, http, tempDir, waitFor } from '../harness/index.js';

/** True once the daemon has said something that holds `words`, of the task if one is given. */
export const logged = (daemon: Daemon, words: string, taskId?: string): boolean =>
  daemon.logs().some((l) => l.msg.includes(words) && (taskId === undefined || l['task_id'] === taskId));

export const status = async (daemon: Daemon, id: string): Promise<TaskView> => {
  const answer = await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`);
  expect(answer.status).toBe(200);
  return answer.body;
};

export const started = (daemon: Daemon, id: string): Promise<TaskView> =>
  waitFor(async () => {
    const task = await status(daemon, id);
    return task.pid !== undefined && task;
  });

export const kill = async (daemon: Daemon, id: string) => {
  expect((await http(daemon.url).post(`/api/v1/tasks/${id}/kill`)).status).toBe(200);
};

/** A submit that has to be refused for want of room, and to leave nothing. */
export async function expectRefused(daemon: Daemon, id: string): Promise<void> {
  const api = http(daemon.url);
  const request = {
    task_id: id,
    ...command('/bin/true'),
    control_context: { idempotency_key: `key of ${id}` },
  };
  const answer = await api.post('/api/v1/tasks', request);
  expect([answer.status, answer.body.error.code]).toEqual([507, 'insufficient_storage']);
  const batch = await api.post('/api/v1/tasks/batch', { tasks: [request] });
  expect(batch.body).toMatchObject([{ task_id: id, error: { code: 'insufficient_storage' } }]);
  expect((await api.get(`/api/v1/tasks/${id}`)).status).toBe(404);
  expect(readdirSync(join(daemon.dataDir, 'tasks'))).not.toContain(id);
}

export async function expectReadable(daemon: Daemon): Promise<void> {
  const paths = ['/api/v1/tasks', '/api/v1/events', '/healthz', '/metrics', '/api/v1/runtime/resources'];
  for (const path of paths) expect([path, (await http(daemon.url).get(path)).status]).toEqual([path, 200]);
}

export const readiness = async (daemon: Daemon) => (await http(daemon.url).get('/readyz')).status;

/** Everything is given back and written down. */
export async function expectHealthy(daemon: Daemon): Promise<void> {
  expect(await readiness(daemon)).toBe(200);
  const resources = await http(daemon.url).get('/api/v1/runtime/resources');
  expect(resources.body).toMatchObject({ reserved: { task_slots: 0 }, accepted_waiting_tasks: 0 });
  for (const incarnation of readdirSync(join(daemon.dataDir, 'supervisor')).filter((n) => n !== 'ballast'))
    expect(readJournal(join(daemon.dataDir, 'supervisor', incarnation, 'journal')).damage).toBeUndefined();
}

/** A task that goes on when it is told to, through files on a disk that has room. */
export function stepwise(steps: Record<string, string>) {
  const flags = tempDir();
  const waitForFlag = (name: string) => `while [ ! -e ${flags}/${name} ]; do sleep 0.02; done`;
  const text = Object.entries(steps).map(
    ([name, what]) => `${waitForFlag(name)}\n${what}\n: >${flags}/${name}.done`,
  );
  return {
    script: text.join('\n'),
    go: async (name: string) => {
      writeFileSync(join(flags, name), '');
      await waitFor(() => existsSync(join(flags, `${name}.done`)), { what: `step ${name} of a task` });
    },
    /** For the step that ends the task. */
    tell: (name: string) => writeFileSync(join(flags, name), ''),
  };
}

export const LINE = `${'x'.repeat(99)}\n`;
export const thousandLines = `i=0; while [ $i -lt 1000 ]; do echo ${LINE.trim()}; i=$((i+1)); done`;
