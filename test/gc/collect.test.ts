import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  type Daemon,
  command,
  http,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

/** Daemons that collect only when they are told to, unless a test says otherwise. */
const QUIET = ['--gc-interval-ms', '3600000'];
const PINNED = { metadata: { 'execgo.pin': 'true' } };

const gc = async (daemon: Daemon, body?: object, query = '') =>
  (await http(daemon.url).post(`/api/v1/gc${query}`, body)).body;
const ids = async (daemon: Daemon) =>
  (await http(daemon.url).get('/api/v1/tasks')).body.tasks.map((t: { task_id: string }) => t.task_id);
const dirs = (daemon: Daemon) => fs.readdirSync(join(daemon.dataDir, 'tasks')).sort();
const trash = (daemon: Daemon) => fs.readdirSync(join(daemon.dataDir, 'trash'));

async function run(daemon: Daemon, task_id: string, more: object = {}, ...args: string[]) {
  return submitAndWait(daemon, command('sh', ['-c', args[0] ?? 'echo hello'], { task_id, ...more }));
}

test('what is told to go goes: oldest first, with files and events; live and pinned tasks stay', async () => {
  const daemon = await startDaemon({ flags: [...QUIET, '--max-running-tasks', '1'] });
  for (const id of ['a', 'b']) await run(daemon, id);
  await run(daemon, 'pinned', PINNED);
  await run(daemon, 'unpinned', { metadata: { 'execgo.pin': 'yes' } });
  await submit(daemon, command('sleep', ['600'], { task_id: 'runs' }));
  await submit(daemon, command('true', [], { task_id: 'waits' }));
  const would = await gc(daemon, { older_than_ms: 0, dry_run: true });
  expect(would).toEqual({
    dry_run: true,
    candidates: 3,
    removed: 0,
    bytes_freed: expect.any(Number),
    tasks: ['a', 'b', 'unpinned'],
    skipped_pinned: 1,
    problems: [],
    duration_ms: expect.any(Number),
  });
  expect(would.bytes_freed).toBeGreaterThan(3 * 4096);
  expect(dirs(daemon)).toHaveLength(6);
  expect(await gc(daemon, { older_than_secs: 3600 })).toMatchObject({ candidates: 0, skipped_pinned: 0 });
  expect(await gc(daemon)).toMatchObject({ dry_run: false, candidates: 0 });
  const did = await gc(daemon, { older_than_ms: 0 });
  expect(did).toMatchObject({ ...would, dry_run: false, removed: 3, duration_ms: expect.any(Number) });
  expect([dirs(daemon), trash(daemon)]).toEqual([['pinned', 'runs', 'waits'], []]);
  expect(await ids(daemon)).toEqual(['waits', 'runs', 'pinned']);
  expect((await http(daemon.url).get('/api/v1/tasks/a')).status).toBe(404);
  expect((await http(daemon.url).get('/api/v1/tasks/a/events')).status).toBe(404);
  const { text } = await http(daemon.url).get('/metrics');
  expect(text).toMatch(/^execgo_runtime_gc_removed_total 3$/m);
  expect(text).toMatch(new RegExp(`^execgo_runtime_gc_bytes_total ${did.bytes_freed}$`, 'm'));
  expect(text).toMatch(/^execgo_runtime_tasks_kept 0$/m);
  // An id that is used again meets nothing old.
  const again = await submit(daemon, command('true', [], { task_id: 'a' }));
  await http(daemon.url).post('/api/v1/tasks/runs/kill');
  expect(await waitForEnd(daemon, again)).toMatchObject({ status: 'success', stdout: '' });
  await waitForEnd(daemon, 'waits');
});

test('bad input is refused', async () => {
  const daemon = await startDaemon({ flags: QUIET });
  await run(daemon, 'a');
  const post = async (body: unknown, query = '') => {
    const { status, body: answer } = await http(daemon.url).post(`/api/v1/gc${query}`, body);
    return [status, answer.error?.code, answer.error?.message];
  };
  expect(await post({ older_than_ms: -1 })).toEqual([
    400,
    'invalid_input',
    expect.stringContaining('older_than_ms'),
  ]);
  expect(await post({ older_than_ms: '1d' })).toEqual([
    400,
    'invalid_input',
    expect.stringContaining('older_than_ms'),
  ]);
  expect(await post({ older_than_ms: 1, older_than_secs: 1 })).toEqual([
    400,
    'invalid_input',
    expect.any(String),
  ]);
  expect(await post({ dry_run: 'yes' })).toEqual([400, 'invalid_input', expect.stringContaining('dry_run')]);
  expect(await post([])).toEqual([400, 'invalid_input', expect.any(String)]);
  expect(await post('{', '')).toEqual([400, 'invalid_input', expect.any(String)]);
  expect(await post(undefined, '?dry_run=maybe')).toEqual([
    400,
    'invalid_input',
    expect.stringContaining('dry_run'),
  ]);
  expect(await post(undefined, '?older_than_ms=x')).toEqual([400, 'invalid_input', expect.any(String)]);
  expect(await ids(daemon)).toEqual(['a']);
  expect(await gc(daemon, undefined, '?older_than_ms=0&dry_run=true')).toMatchObject({
    candidates: 1,
    removed: 0,
  });
  expect(await gc(daemon, undefined, '?older_than_secs=0')).toMatchObject({ removed: 1 });
});

test('a bound on age collects by itself', async () => {
  const daemon = await startDaemon({ flags: ['--result-retention-secs', '1', '--gc-interval-ms', '20'] });
  await run(daemon, 'old', {}, 'echo data > file; mkdir -p a/b; echo x > a/b/c');
  await run(daemon, 'pinned', PINNED);
  await waitFor(async () => (await ids(daemon)).length === 1, { what: 'the collection' });
  await waitFor(() => trash(daemon).length === 0, { what: 'an empty trash' });
  expect([await ids(daemon), dirs(daemon)]).toEqual([['pinned'], ['pinned']]);
});

test('a bound on the number keeps the newest, also across a restart', async () => {
  const flags = ['--retain-max-tasks', '3', '--gc-interval-ms', '20'];
  const daemon = await startDaemon({ flags });
  await run(daemon, 'pinned', PINNED);
  for (let i = 0; i < 6; i++) await run(daemon, `t${i}`);
  await waitFor(async () => (await ids(daemon)).length === 4, { what: 'the collection' });
  expect(await ids(daemon)).toEqual(['t5', 't4', 't3', 'pinned']);
  await daemon.restart({ flags: ['--retain-max-tasks', '1', '--gc-interval-ms', '20'] });
  await waitFor(async () => (await ids(daemon)).length === 2, { what: 'the collection' });
  expect(await ids(daemon)).toEqual(['t5', 'pinned']);
  expect((await http(daemon.url).get('/api/v1/runtime/config')).body).toMatchObject({
    retain_max_tasks: 1,
    retain_max_bytes: 0,
  });
});

test('a bound on bytes counts what tasks leave in their workspace, also of those that ended without a bound', async () => {
  const daemon = await startDaemon({ flags: QUIET });
  const megabyte = 'head -c 1000000 /dev/zero > data';
  for (const id of ['a', 'b', 'c']) await run(daemon, id, {}, megabyte);
  const flags = ['--retain-max-bytes', '2500000', '--gc-interval-ms', '20'];
  await daemon.restart({ flags });
  await waitFor(async () => (await ids(daemon)).length === 2, { what: 'the collection of a' });
  expect(await ids(daemon)).toEqual(['c', 'b']);
  for (const id of ['d', 'e']) await run(daemon, id, {}, megabyte);
  await waitFor(async () => (await ids(daemon)).join() === 'e,d', { what: 'the collection of b and c' });
  await run(daemon, 'small');
  expect((await ids(daemon)).length).toBe(3);
  await run(daemon, 'huge', {}, 'head -c 5000000 /dev/zero > data');
  await waitFor(async () => (await ids(daemon)).length === 0, {
    what: 'the collection of all that is too much',
  });
});

test('a task that cannot be removed is told of, stays, and holds up nobody', async () => {
  const daemon = await startDaemon({ flags: QUIET });
  const dir = join(daemon.dataDir, 'tasks/stuck');
  await run(daemon, 'stuck');
  await run(daemon, 'other');
  execFileSync('chattr', ['+i', dir]);
  onTestFinished(() => {
    if (fs.existsSync(dir)) execFileSync('chattr', ['-i', dir]);
  });
  const report = await gc(daemon, { older_than_ms: 0 });
  execFileSync('chattr', ['-i', dir]);
  expect(report).toMatchObject({
    candidates: 2,
    removed: 1,
    problems: [expect.stringMatching(/task stuck .*EPERM/)],
  });
  expect((await http(daemon.url).get('/api/v1/tasks/stuck')).body.status).toBe('success');
  expect(await gc(daemon, { older_than_ms: 0 })).toMatchObject({ removed: 1, problems: [] });
});
