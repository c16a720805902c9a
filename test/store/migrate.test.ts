import fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDatabase } from '../../src/store/database/check.js';
import { endOf, type TaskEnd } from '../../src/store/records.js';
import { CAUSES } from '../../src/task/causes.js';
import { tempDir } from '../harness/temp-dir.js';
import { OldDatabase } from './old-database.js';
import {
  CANCELLED,
  dispatch,
  FAILED,
  insert,
  NOW,
  openedStore,
  rawDatabase,
  running,
  waiting,
} from './support.js';

const RESERVED = { reservation_json: '{"task_slots":1,"memory_bytes":7}', reserved_at_ms: 150 };
const CONTEXT = '{"tenant":"acme","owner":"ann","labels":{"a":"b"},"requires_strict_sandbox":false}';

describe('a new database', () => {
  test('is private, durable and complete', () => {
    const dir = join(tempDir(), 'deep', 'data');
    const store = openedStore(dir);
    store.probe();
    for (const file of ['runtime.db', 'runtime.db-wal', 'runtime.db-shm'])
      expect(fs.statSync(join(dir, file)).mode & 0o777).toBe(0o600);
    expect(fs.statSync(dir).mode & 0o777).toBe(0o700);
    const db = rawDatabase(dir);
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(
      db.prepare('SELECT id, name, length(checksum) AS n, applied_at_ms FROM schema_migrations').all(),
    ).toEqual([
      { id: 1, name: 'baseline', n: 64, applied_at_ms: NOW },
      { id: 2, name: 'execgo-schema', n: 64, applied_at_ms: NOW },
      { id: 3, name: 'retention', n: 64, applied_at_ms: NOW },
      { id: 4, name: 'fewer-indexes', n: 64, applied_at_ms: NOW },
      { id: 5, name: 'keys-end', n: 64, applied_at_ms: NOW },
      { id: 6, name: 'sent-request', n: 64, applied_at_ms: NOW },
      { id: 7, name: 'exit-nonzero', n: 64, applied_at_ms: NOW },
      { id: 8, name: 'warnings', n: 64, applied_at_ms: NOW },
      { id: 9, name: 'paused', n: 64, applied_at_ms: NOW },
      { id: 10, name: 'queues', n: 64, applied_at_ms: NOW },
      { id: 11, name: 'versions', n: 64, applied_at_ms: NOW },
      { id: 12, name: 'items', n: 64, applied_at_ms: NOW },
      { id: 13, name: 'disk', n: 64, applied_at_ms: NOW },
      { id: 14, name: 'attempts', n: 64, applied_at_ms: NOW },
      { id: 15, name: 'changes', n: 64, applied_at_ms: NOW },
      { id: 16, name: 'outbox', n: 64, applied_at_ms: NOW },
      { id: 17, name: 'queue-notify', n: 64, applied_at_ms: NOW },
      { id: 18, name: 'sessions', n: 64, applied_at_ms: NOW },
      { id: 19, name: 'eligible', n: 64, applied_at_ms: NOW },
      { id: 20, name: 'schedules', n: 64, applied_at_ms: NOW },
      { id: 21, name: 'dependencies', n: 64, applied_at_ms: NOW },
      { id: 22, name: 'groups', n: 64, applied_at_ms: NOW },
      { id: 23, name: 'reruns', n: 64, applied_at_ms: NOW },
      { id: 24, name: 'parents', n: 64, applied_at_ms: NOW },
      { id: 25, name: 'follow-ups', n: 64, applied_at_ms: NOW },
      { id: 26, name: 'kill-notes', n: 64, applied_at_ms: NOW },
      { id: 27, name: 'read-marks', n: 64, applied_at_ms: NOW },
      { id: 28, name: 'group-notify', n: 64, applied_at_ms: NOW },
      { id: 29, name: 'task-commands', n: 64, applied_at_ms: NOW },
      { id: 30, name: 'session-storage', n: 64, applied_at_ms: NOW },
      { id: 31, name: 'session-readers', n: 64, applied_at_ms: NOW },
      { id: 32, name: 'progress', n: 64, applied_at_ms: NOW },
      { id: 33, name: 'owners', n: 64, applied_at_ms: NOW },
    ]);
    const table = db.prepare(`SELECT sql FROM sqlite_master WHERE name = 'tasks'`).pluck().get();
    for (const cause of CAUSES) expect(table).toMatch(new RegExp(`cause IN [^)]*'${cause}'`));
    expect(store.events.last).toBe(0);
    expect(store.tasks.live()).toEqual([]);
  });

  test('opens again without another migration', async () => {
    const dir = tempDir();
    const store = openedStore(dir);
    await insert(store, 'a');
    store.close();
    expect(openedStore(dir).tasks.get('a')?.status).toBe('accepted');
  });
});

describe('a database of the older runtime', () => {
  test('keeps its finished tasks, with a cause', () => {
    const dir = tempDir();
    const old = new OldDatabase(dir);
    const ended = { started_at_ms: 110, finished_at_ms: 160, duration_ms: 50 };
    const failed = (error_code: string | null, more = {}) => ({
      ...ended,
      status: 'failed',
      error_code,
      error_json: error_code === null ? null : JSON.stringify({ code: error_code, message: 'm' }),
      ...more,
    });
    const rows: Record<string, [cause: string, row: Record<string, string | number | null>]> = {
      ok: ['exit', { ...ended, status: 'success', exit_code: 0, ...RESERVED, released_at_ms: 160 }],
      'no-end-time': ['exit', { status: 'success', exit_code: 0 }],
      'held-for-ever': ['exit', { ...ended, status: 'success', exit_code: 0, ...RESERVED }],
      killed: ['cancelled', { ...ended, status: 'cancelled', kill_requested: 1, error_code: 'cancelled' }],
      'both-exits': ['exit', failed('exit_nonzero', { exit_code: 137, exit_signal: 9 })],
      timeout: ['timeout', failed('timeout', { timeout_triggered: 1 })],
      oom: ['oom', failed('memory_limit_exceeded', { exit_signal: 9 })],
      cpu: ['cpu', failed('cpu_limit_exceeded')],
      launch: ['launch', failed('launch_failed', { duration_ms: 0 })],
      sandbox: ['sandbox', failed('sandbox_setup_failed')],
      signal: ['signal', failed('internal', { exit_signal: 11 })],
      lost: ['lost', failed('internal')],
      silent: ['lost', failed(null)],
    };
    for (const [id, [, row]] of Object.entries(rows)) old.add(id, row);
    old.event('ok', 'submitted');
    old.db.close();

    const store = openedStore(dir);
    for (const [id, [cause, row]] of Object.entries(rows)) {
      const task = endOf(store.tasks.get(id)!);
      expect(task, id).toMatchObject({
        status: row.status,
        cause,
        exit_code: row.exit_code as number | undefined,
      });
      expect(task?.finished_at_ms, id).toBe(row.finished_at_ms ?? 200);
    }
    expect(store.tasks.get('ok')).toMatchObject({ stdout_bytes: undefined, attempt: undefined });
    const released = rawDatabase(dir).prepare('SELECT released_at_ms FROM tasks WHERE task_id = ?').pluck();
    expect(['ok', 'held-for-ever'].map((id) => released.get(id))).toEqual([160, 160]);
    expect(store.tasks.get('killed')).toMatchObject({ kill_requested_at_ms: 200 });
    const error = (id: string) => endOf(store.tasks.get(id)!)?.error;
    expect(error('killed')).toEqual({ code: 'cancelled', message: 'cancelled' });
    expect(error('lost')).toEqual({ code: 'internal', message: 'm' });
    expect(error('signal')).toEqual({ code: 'signal', message: 'm' });
    const { entered, errors, duration } = store.counters.read();
    expect(entered).toEqual({ accepted: 13, running: 12, success: 3, failed: 9, cancelled: 1 });
    expect(errors).toMatchObject({ internal: 2, timeout: 1, cancelled: 1 });
    expect(duration).toMatchObject({ count: 12, sum: 550 });
    expect(duration.buckets[0]).toBe(12);
    const ages = store.kept.page({ ages_from_ms: 0, submit_seq: -(2 ** 40) }, 100).map((t) => t.ages_from_ms);
    expect(ages, 'all age from the day they were taken over').toEqual(Array(13).fill(NOW));
    expect(store.kept.totals()).toEqual({ tasks: 13, bytes: 0 });
  });

  test('gives its waiting tasks back what they had reserved, with the event', async () => {
    const dir = tempDir();
    const old = new OldDatabase(dir);
    old.add('holds', {
      status: 'accepted',
      ...RESERVED,
      control_context_json: CONTEXT,
      started_at_ms: 120,
      pid: 5,
    });
    old.add('waits', { status: 'accepted' });
    for (const type of ['submitted', 'accepted', 'planned', 'resource_reserved']) old.event('holds', type);
    old.event('waits', 'submitted');
    old.db.close();

    const store = openedStore(dir);
    expect(store.tasks.live().map((t) => [t.task_id, t.submit_seq])).toEqual([
      ['holds', 1],
      ['waits', 5],
    ]);
    expect(store.tasks.get('holds')).toMatchObject({ reservation: { task_slots: 1, memory_bytes: 7 } });
    const row = rawDatabase(dir).prepare("SELECT * FROM tasks WHERE task_id = 'holds'").get();
    expect(row).toMatchObject({ reserved_at_ms: 150, released_at_ms: NOW, started_at_ms: null, pid: null });
    expect(store.events.ofTask('holds', 4, undefined)).toMatchObject([
      {
        seq: 6,
        event_type: 'resource_released',
        timestamp_ms: NOW,
        data: { reservation: { task_slots: 1, memory_bytes: 7 } },
      },
    ]);
    expect(store.events.last).toBe(6);
    expect(
      (await store.list.page({ order: 'newest', limit: 9, tenant: 'acme', owner: 'ann', label: 'a=b' }))
        .records,
    ).toHaveLength(1);
    expect(await dispatch(store, 'holds')).toBe(1);
    expect(store.tasks.get('holds')).toMatchObject({
      status: 'running',
      reserved_at_ms: NOW + 1,
    });
    await insert(store, 'new');
    expect(store.tasks.get('new')?.submit_seq).toBe(8);
  });

  test('has requests rebuilt and relative paths resolved', () => {
    const dir = tempDir();
    const old = new OldDatabase(dir);
    old.add('t', { status: 'accepted', control_context_json: CONTEXT });
    old.add('broken', {
      status: 'accepted',
      execution_json: '{"kind":"command","program":"","args":[1,"x"]}',
      limits_json: '{"wall_time_ms":-1}',
      sandbox_json: 'nonsense',
      control_context_json: '[]',
    });
    old.db.close();
    const store = openedStore(dir);
    const task = store.tasks.get('t')!;
    expect(task.request).toMatchObject({
      task_id: 't',
      execution: { kind: 'command', program: '/bin/echo', args: ['hi'], env: { A: 'b' } },
      limits: { wall_time_ms: 5000, stdout_max_bytes: 10 },
      policy: { priority: 0 },
      control_context: { tenant: 'acme', labels: { a: 'b' }, queue: 'default' },
      metadata: { note: 'old' },
    });
    expect(store.tasks.get('broken')?.request).toMatchObject({
      execution: { kind: 'command', program: '', args: ['x'], env: {} },
      limits: { stdout_max_bytes: 4_194_304 },
      sandbox: { profile: 'process' },
      metadata: { note: 'old' },
    });
  });

  test('keeps its running tasks running, without a launch, so that they can be ended as lost', async () => {
    const dir = tempDir();
    const old = new OldDatabase(dir);
    old.add('t', { status: 'running', started_at_ms: 110, pid: 5, shim_pid: 4, ...RESERVED });
    old.event('t', 'submitted');
    old.db.close();
    const store = openedStore(dir);
    expect(store.tasks.get('t')).toMatchObject({
      status: 'running',
      attempt: { launch_id: null, shim_pid: 4 },
      process: { pid: 5 },
      reserved_at_ms: RESERVED.reserved_at_ms,
    });
    const end: TaskEnd = {
      ...FAILED,
      status: 'failed',
      cause: 'lost',
      error: { code: 'internal', message: 'recovery_lost' },
      released_at_ms: NOW,
    };
    expect(await store.commits.write(() => store.changes.end(running(store, 't', null), end))).toBeDefined();
    expect(store.tasks.get('t')).toMatchObject({ status: 'failed', cause: 'lost' });
  });

  test('opens without its last five columns, and with events that lost their task', () => {
    const dir = tempDir();
    const old = new OldDatabase(dir, { lateColumns: false });
    old.add('young', { status: 'accepted', created_at_ms: 120 });
    old.add('old', { status: 'accepted', created_at_ms: 110 });
    old.add('eventful', { status: 'running', created_at_ms: 130 });
    old.event('eventful', 'submitted');
    old.event('deleted', 'submitted');
    old.event('deleted', 'finished');
    old.db.close();
    const store = openedStore(dir);
    expect(store.tasks.live().map((t) => t.task_id)).toEqual(['old', 'young', 'eventful']);
    expect(store.tasks.get('old')?.submit_seq).toBeLessThan(0);
    expect(store.tasks.get('eventful')).toMatchObject({ plan: null, reservation: null, submit_seq: 1 });
    expect(store.events.ofAll(0, 100).map((e) => e.seq)).toEqual([1]);
    expect(store.events.last).toBe(3);
    expect(checkDatabase(old.path)).toEqual([]);
  });

  test('ends as cancelled like any other', async () => {
    const dir = tempDir();
    const old = new OldDatabase(dir);
    old.add('t', { status: 'accepted' });
    old.db.close();
    const store = openedStore(dir);
    await store.commits.write(() => store.changes.end(waiting(store, 't'), CANCELLED));
    expect(store.tasks.get('t')?.status).toBe('cancelled');
    expect(await store.commits.write(() => store.changes.delete('t'))).toBe(true);
  });

  test('that cannot be migrated is left as it was', () => {
    const dir = tempDir();
    const old = new OldDatabase(dir);
    old.add('t', { status: 'accepted', error_code: 5 });
    old.db.exec('CREATE TABLE tasks_rebuilt (somebodys TEXT)');
    const before = old.db.prepare('SELECT * FROM tasks').all();
    old.db.close();
    expect(() => openedStore(dir)).toThrow(/migration 2 .* left as it was.*tasks_rebuilt/);
    const db = rawDatabase(dir);
    const kept = 'SELECT task_id, error_code, result_json FROM tasks';
    expect(db.prepare(kept).all()).toMatchObject([{ task_id: 't', error_code: '5.0' }]);
    expect(before).toHaveLength(1);
    expect(db.prepare('SELECT id FROM schema_migrations').pluck().all()).toEqual([1]);
    db.exec('DROP TABLE tasks_rebuilt');
    db.close();
    expect(openedStore(dir).tasks.get('t')?.status).toBe('accepted');
  });
});
