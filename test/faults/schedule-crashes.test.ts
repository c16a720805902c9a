import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { CrashPoint } from '../../src/executor/crash-point.js';
import type { ScheduleView } from '../../src/task/schedules.js';
import { type Daemon, http, startDaemon, tempDir, waitFor } from '../harness/index.js';
import { countedTask, settled, violations } from './invariants.js';

/** Those of schedules, and those that a task of one passes. */
const POINTS: CrashPoint[] = [
  ...(['before_schedule_commit', 'after_schedule_commit'] as const),
  ...(['before_schedule_removal', 'after_schedule_removal'] as const),
  ...(['before_due_commit', 'after_due_commit'] as const),
  ...(['before_due_submit_commit', 'after_due_submit_commit'] as const),
  ...(['before_submit_commit', 'after_submit_commit', 'after_submit_launch', 'after_end_commit'] as const),
];
const PATH = '/api/v1/schedules';

/** Makes one that is due each second, changes it, and deletes another one: who is not answered does not know. */
async function work(daemon: Daemon, runs: string): Promise<void> {
  const api = http(daemon.url);
  const task = countedTask(runs, 'echo due');
  const rules = { interval_ms: 1000, overlap: 'queue', catch_up: 'all', catch_up_max: 100 };
  const asked = [
    () => api.post(PATH, { name: 'tick', task, ...rules }),
    () => api.request('PATCH', `${PATH}/tick`, { body: { grace_ms: 2000 } }),
    () => api.post(PATH, { name: 'gone', task, cron: '0 0 1 1 *' }),
    () => api.delete(`${PATH}/gone`),
  ];
  for (const ask of asked) {
    const answer = await ask().catch(() => undefined);
    expect([undefined, 200, 404, 409]).toContain(answer?.status);
  }
}

const shown = async (daemon: Daemon) => (await http(daemon.url).get<ScheduleView>(`${PATH}/tick`)).body;

test.each(POINTS)('the daemon dies at %s: each due time is submitted once', async (point) => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon({ env: { EXECGO_DAEMON_CRASH_AT: point } });
  await work(daemon, runs);
  expect(await daemon.exited()).toEqual({ code: null, signal: 'SIGKILL' });
  await daemon.restart({ env: {} });
  await work(daemon, runs);
  const since = (await shown(daemon)).runs.length;
  await waitFor(async () => (await shown(daemon)).runs.length > since + 1, { what: 'two more due times' });
  // The next one is far away then, and those that wait are still submitted.
  await http(daemon.url).request('PATCH', `${PATH}/tick`, { body: { cron: '0 0 1 1 *' } });
  await waitFor(
    async () => {
      const { running, runs: history } = await shown(daemon);
      return running.length === 0 && history.every(({ outcome }) => outcome !== 'waiting');
    },
    { what: 'the end of its tasks' },
  );
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [], runs })).toEqual([]);

  const db = new Database(join(daemon.dataDir, 'runtime.db'), { readonly: true });
  const rows = db
    .prepare<[], { due_ms: number; outcome: string; task_id: string }>(
      'SELECT * FROM schedule_runs ORDER BY due_ms',
    )
    .all();
  const tasks = db.prepare<[], string>('SELECT task_id FROM tasks ORDER BY submit_seq').pluck().all();
  db.close();
  expect(rows.length).toBeGreaterThan(1);
  expect(new Set(rows.map(({ outcome }) => outcome))).toEqual(new Set(['submitted']));
  expect(rows.map(({ due_ms }) => due_ms)).toEqual(rows.map((_, i) => rows[0]!.due_ms + i * 1000));
  expect(tasks).toEqual(rows.map(({ task_id }) => task_id));
  expect(readFileSync(runs, 'utf8').split('\n').slice(0, -1)).toEqual(tasks.map((id) => `${id} 1`));
});
