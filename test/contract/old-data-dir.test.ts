import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  command,
  execgoCommand,
  eventTypes,
  http,
  startDaemon,
  submit,
  tempDir,
  waitForEnd,
  waitGone,
} from '../harness/index.js';

const LATE_COLUMNS = [
  'result_json TEXT',
  'execution_plan_json TEXT',
  'control_context_json TEXT',
  'reservation_json TEXT',
  'reserved_at_ms INTEGER',
  'released_at_ms INTEGER',
];

/** The tables of the older runtime, in plain SQL. */
function schema(late: boolean): string {
  return `
    CREATE TABLE tasks (
      task_id TEXT PRIMARY KEY, handle_id TEXT NOT NULL, status TEXT NOT NULL, execution_json TEXT NOT NULL,
      limits_json TEXT NOT NULL, sandbox_json TEXT NOT NULL, metadata_json TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL, started_at_ms INTEGER, finished_at_ms INTEGER,
      duration_ms INTEGER, shim_pid INTEGER, pid INTEGER, pgid INTEGER, exit_code INTEGER, exit_signal INTEGER,
      error_code TEXT, error_json TEXT, usage_json TEXT, task_dir TEXT NOT NULL, workspace_dir TEXT NOT NULL,
      request_path TEXT NOT NULL, result_path TEXT NOT NULL, stdout_path TEXT NOT NULL, stderr_path TEXT NOT NULL,
      script_path TEXT, stdout_max_bytes INTEGER NOT NULL, stderr_max_bytes INTEGER NOT NULL,
      kill_requested INTEGER NOT NULL DEFAULT 0, kill_requested_at_ms INTEGER,
      timeout_triggered INTEGER NOT NULL DEFAULT 0${late ? `, ${LATE_COLUMNS.join(', ')}` : ', result_json TEXT'}
    );
    CREATE TABLE task_events (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL REFERENCES tasks(task_id) ON DELETE CASCADE,
      event_type TEXT NOT NULL, timestamp_ms INTEGER NOT NULL, message TEXT, data_json TEXT
    );
    CREATE INDEX idx_tasks_status ON tasks(status, created_at_ms);
    CREATE INDEX idx_tasks_finished ON tasks(finished_at_ms);
    CREATE INDEX idx_events_task ON task_events(task_id, seq);`;
}

const T = 1_700_000_000_000;
const EXECUTION = { kind: 'command', program: 'sh', args: ['-c', 'echo ran; exit 3'], script: null, env: {} };

/** An old data directory with a finished, a waiting and a running task. Paths are relative, as the old one stored them. */
function oldDataDir(late: boolean): string {
  const dir = join(tempDir(), 'data');
  mkdirSync(dir, { mode: 0o700 });
  const db = new Database(join(dir, 'runtime.db'));
  db.exec(schema(late));
  const insert = (id: string, status: string, more: Record<string, unknown> = {}) => {
    const row: Record<string, unknown> = {
      task_id: id,
      handle_id: id,
      status,
      execution_json: JSON.stringify(EXECUTION),
      limits_json: JSON.stringify({ wall_time_ms: 5000, stdout_max_bytes: 1000, stderr_max_bytes: 1000 }),
      sandbox_json: JSON.stringify({ profile: 'process', chroot: false }),
      metadata_json: JSON.stringify({ from: 'old' }),
      created_at_ms: T,
      updated_at_ms: T + 1,
      task_dir: `data/tasks/${id}`,
      workspace_dir: `data/tasks/${id}/workspace`,
      request_path: `data/tasks/${id}/request.json`,
      result_path: `data/tasks/${id}/result.json`,
      stdout_path: `data/tasks/${id}/stdout.log`,
      stderr_path: `data/tasks/${id}/stderr.log`,
      stdout_max_bytes: 1000,
      stderr_max_bytes: 1000,
      ...more,
    };
    const names = Object.keys(row);
    db.prepare(`INSERT INTO tasks (${names.join()}) VALUES (${names.map((n) => `@${n}`).join()})`).run(row);
    mkdirSync(join(dir, 'tasks', id, 'workspace'), { recursive: true, mode: 0o700 });
    const events =
      status === 'accepted' && late
        ? ['submitted', 'accepted', 'resource_reserved']
        : ['submitted', 'accepted'];
    for (const type of events)
      db.prepare('INSERT INTO task_events (task_id, event_type, timestamp_ms) VALUES (?, ?, ?)').run(
        id,
        type,
        T,
      );
  };
  const reservation = late ? { reservation_json: '{"task_slots":1}', reserved_at_ms: T } : {};
  insert('done', 'failed', {
    started_at_ms: T + 10,
    finished_at_ms: T + 20,
    duration_ms: 10,
    exit_code: 9,
    error_code: 'exit_nonzero',
    error_json: JSON.stringify({ code: 'exit_nonzero', message: 'task exited with code 9' }),
    usage_json: JSON.stringify({ duration_ms: 10 }),
  });
  insert('waits', 'accepted', reservation);
  insert('ran', 'running', {
    started_at_ms: T + 10,
    pid: 999_999,
    pgid: 999_999,
    shim_pid: 999_998,
    ...reservation,
  });
  writeFileSync(join(dir, 'tasks/done/stdout.log'), 'old output\n');
  db.close();
  return dir;
}

describe.each([
  ['with the late columns', true],
  ['without the late columns', false],
])('a data directory of the older runtime %s', (_, late) => {
  test('opens: finished tasks answer, waiting ones run, running ones are lost', async () => {
    const daemon = await startDaemon({ dataDir: oldDataDir(late) });
    const api = http(daemon.url);
    const done = (await api.get('/api/v1/tasks/done')).body;
    expect(done).toMatchObject({
      status: 'failed',
      cause: 'exit',
      exit_code: 9,
      created_at: new Date(T).toISOString(),
      started_at: new Date(T + 10).toISOString(),
      finished_at: new Date(T + 20).toISOString(),
      duration_ms: 10,
      stdout: 'old output\n',
      error: { code: 'exit_nonzero', message: 'task exited with code 9' },
      metadata: { from: 'old' },
      artifacts: { stdout_path: join(daemon.dataDir, 'tasks/done/stdout.log') },
    });
    expect(await waitForEnd(daemon, 'waits')).toMatchObject({
      status: 'failed',
      exit_code: 3,
      stdout: 'ran\n',
    });
    const lost = await waitForEnd(daemon, 'ran');
    expect(lost).toMatchObject({
      status: 'failed',
      cause: 'lost',
      error: { code: 'internal', message: 'recovery_lost' },
    });
    expect((await eventTypes(daemon, 'ran')).slice(late ? -2 : -1)).toEqual(
      late ? ['resource_released', 'failed'] : ['failed'],
    );
    const waited = await eventTypes(daemon, 'waits');
    if (late)
      expect(waited.slice(0, 4)).toEqual(['submitted', 'accepted', 'resource_reserved', 'resource_released']);
    expect(waited.slice(-4)).toEqual(['resource_reserved', 'started', 'resource_released', 'failed']);
    expect((await api.get('/api/v1/runtime/resources')).body.reserved.task_slots).toBe(0);
    expect((await api.get('/metrics')).text).toContain('execgo_runtime_tasks_total{status="accepted"} 3');
    await daemon.restart();
    expect((await http(daemon.url).get('/api/v1/tasks/done')).body).toEqual(done);
  });
});

test('while a process of the older runtime works on a row, the start is refused and the task named', async () => {
  const dataDir = oldDataDir(true);
  const shim = spawn('/bin/sh', ['-c', 'read line', 'execgo-runtime', 'internal-shim', '--task-id', 'ran'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  onTestFinished(() => void shim.kill('SIGKILL'));
  const refused = spawnSync(
    ...execgoCommand(['serve', '--listen-addr', '127.0.0.1:0', '--data-dir', dataDir]),
    { encoding: 'utf8', timeout: 30_000 },
  );
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('ran');
  expect(refused.stderr).not.toContain('waits');
  shim.stdin.end('\n');
  await waitGone(shim.pid!);
  const daemon = await startDaemon({ dataDir });
  expect((await waitForEnd(daemon, 'ran')).cause).toBe('lost');
  await waitForEnd(daemon, 'waits');
});

test('words on a command line keep no daemon from starting, unless they are its own user’s', async () => {
  const dataDir = oldDataDir(true);
  const words = ['-c', 'read line', 'x', 'internal-shim', '--task-id'];
  const say = (id: string, uid: number) => {
    const shim = spawn('/bin/sh', [...words, id], { stdio: ['pipe', 'ignore', 'ignore'], uid });
    onTestFinished(() => void shim.kill('SIGKILL'));
  };
  say('ran', 65_534);
  const daemon = await startDaemon({ dataDir });
  await waitForEnd(daemon, 'waits');
  // With our schema there is no older runtime any more, whoever says so.
  const id = await submit(daemon, command('sleep', ['600']));
  say(id, process.getuid!());
  await daemon.restart();
  expect((await http(daemon.url).post(`/api/v1/tasks/${id}/kill?wait_ms=20000`)).body.status).toBe(
    'cancelled',
  );
});
