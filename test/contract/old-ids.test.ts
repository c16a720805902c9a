import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { cgroupName, execgo, http, startDaemon, tempDir, waitFor, waitForEnd } from '../harness/index.js';
import { ended, OldDataDir, shell } from './old-rows.js';

/** What the older runtime took for an id, and we do not. */
const LONG = 'L'.repeat(255);
const IDS = [LONG, 'M'.repeat(129), ' padded ', '\twide\u3000', '..blank ', 'a'.repeat(250) + '\u2003'];

const readIfThere = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);
const pathOf = (id: string) => `/api/v1/tasks/${encodeURIComponent(id)}`;

/** Ended tasks with output under all of these ids, one that waits and one that ran. */
function oldDirectory(): string {
  const old = new OldDataDir();
  for (const id of IDS) {
    old.add(id, { row: ended(0) });
    writeFileSync(join(old.path, 'tasks', id, 'stdout.log'), `output of ${id}`);
  }
  old.add(' waits ', { execution: shell('echo ran; pwd') });
  old.add(' killed ', { execution: shell('sleep 600') });
  old.add('ran ', { row: { status: 'running', started_at_ms: 1, pid: 999_999, pgid: 999_999 } });
  mkdirSync(join(old.path, 'tasks', 'nobody '));
  return old.close();
}

test('tasks with ids that we would refuse keep their files, and are read, listed, killed and deleted', async () => {
  const daemon = await startDaemon({ dataDir: oldDirectory(), flags: ['--log-level', 'debug'] });
  await waitFor(() => daemon.logs().some((line) => line.msg.startsWith('files and rows')), {
    what: 'the end of the repair',
  });
  expect(existsSync(join(daemon.dataDir, 'tasks', 'nobody '))).toBe(false);
  const { get, post } = http(daemon.url);
  for (const id of IDS) {
    const { body } = await get(pathOf(id));
    expect(body).toMatchObject({ task_id: id, status: 'success', stdout: `output of ${id}` });
    expect(existsSync(join(daemon.dataDir, 'tasks', id, 'stdout.log')), id).toBe(true);
    expect((await get(`${pathOf(id)}/events`)).body).toHaveLength(3);
    expect((await get(`${pathOf(id)}/output?stream=stdout`)).body).toMatchObject({ data: `output of ${id}` });
    const logs = await execgo(['logs', '--', id], { daemon });
    expect([logs.code, logs.stdout]).toEqual([0, `output of ${id}`]);
    const shown = await execgo(['status', '--json', '--', id], { daemon });
    expect(JSON.parse(shown.stdout)).toMatchObject({ task_id: id });
  }
  const listed = (await get('/api/v1/tasks?status=success&limit=100')).body.tasks;
  expect(listed.map((t: { task_id: string }) => t.task_id)).toEqual(expect.arrayContaining(IDS));
  expect((await waitForEnd(daemon, encodeURIComponent(' waits '))).stdout).toBe(
    `ran\n${join(daemon.dataDir, 'tasks', ' waits ', 'workspace')}\n`,
  );
  expect((await waitForEnd(daemon, encodeURIComponent('ran '))).cause).toBe('lost');
  const kill = await execgo(['kill', '--wait', '--grace', '0ms', '--', ' killed '], { daemon });
  expect([kill.code, kill.stderr]).toEqual([0, '']);
  expect((await get(pathOf(' killed '))).body.status).toBe('cancelled');

  const doctor = await execgo([
    ...['doctor', '--json', '--data-dir', daemon.dataDir],
    ...['--cgroup-root', `/sys/fs/cgroup/${cgroupName()}`],
  ]);
  const problems = (
    JSON.parse(doctor.stdout) as { findings: { level: string; message: string; check: string }[] }
  ).findings;
  expect(problems.filter((f) => f.level === 'problem' && f.check === 'files').map((f) => f.message)).toEqual(
    [],
  );
  const copy = join(tempDir(), 'copy.db');
  expect((await execgo(['backup', '--data-dir', daemon.dataDir, copy])).code).toBe(0);
  const db = new Database(copy, { readonly: true });
  expect(db.prepare('SELECT task_id FROM tasks').pluck().all()).toEqual(expect.arrayContaining(IDS));
  db.close();

  expect((await http(daemon.url).delete(pathOf(LONG))).status).toBe(200);
  expect((await get(pathOf(LONG))).status).toBe(404);
  expect(existsSync(join(daemon.dataDir, 'tasks', LONG))).toBe(false);
  const collected = await post('/api/v1/gc', { older_than_ms: 0 });
  expect(collected.body).toMatchObject({ removed: IDS.length - 1 + 3, problems: [] });
  for (const id of IDS) expect(existsSync(join(daemon.dataDir, 'tasks', id)), id).toBe(false);
});

test('a new task may not have such an id', async () => {
  const daemon = await startDaemon();
  for (const task_id of IDS) {
    const answer = await http(daemon.url).post('/api/v1/tasks', {
      task_id,
      execution: { kind: 'command', program: 'true' },
    });
    expect([answer.status, answer.body.error.code], task_id).toEqual([400, 'invalid_input']);
  }
});

test('exit_non_zero is told as exit_nonzero', async () => {
  const old = new OldDataDir();
  old.add('failed', { row: ended(3) });
  const also = ended(4);
  old.add('both', { row: { ...also, exit_signal: 9 } });
  const daemon = await startDaemon({ dataDir: old.close() });
  const { get } = http(daemon.url);
  for (const [id, code] of [
    ['failed', 3],
    ['both', 4],
  ] as const) {
    const status = (await get(`/api/v1/tasks/${id}`)).body;
    expect(status).toMatchObject({
      cause: 'exit',
      error: { code: 'exit_nonzero', message: `task exited with code ${code}` },
    });
  }
  const listed = (await get('/api/v1/tasks?cause=exit')).body.tasks as { error: { code: string } }[];
  expect(listed.map((t) => t.error.code)).toEqual(['exit_nonzero', 'exit_nonzero']);
  const written = await waitFor(() => readIfThere(join(daemon.dataDir, 'tasks/failed/result.json')), {
    what: 'the result that the repair writes',
  });
  expect(JSON.parse(written)).toMatchObject({ error: { code: 'exit_nonzero' } });
  const metrics = (await get('/metrics')).text;
  expect(metrics).toContain('execgo_runtime_task_errors_total{code="exit_nonzero"} 2');
  expect(metrics).not.toContain('exit_non_zero');
});
