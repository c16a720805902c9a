import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  command,
  type Daemon,
  execgo,
  http,
  startDaemon,
  submitAndWait,
  tempDir,
  waitFor,
} from '../harness/index.js';

const QUIET = ['--gc-interval-ms', '3600000'];

async function daemonWith(...ids: string[]): Promise<Daemon> {
  const daemon = await startDaemon({ flags: QUIET });
  for (const task_id of ids) await submitAndWait(daemon, command('sh', ['-c', 'echo x > f'], { task_id }));
  return daemon;
}

const dirs = (daemon: Daemon) => fs.readdirSync(join(daemon.dataDir, 'tasks')).sort();
const gc = (daemon: Daemon, ...args: string[]) => execgo(['gc', '--data-dir', daemon.dataDir, ...args]);

test('through a daemon: found by its address, by the environment or by its data directory', async () => {
  const daemon = await daemonWith('a', 'b');
  const dry = await execgo(['gc', '--older-than', '0s', '--dry-run'], { daemon });
  expect(dry).toMatchObject({ code: 0, stderr: '' });
  expect(dry.stdout).toMatch(/^a\nb\nwould remove 2 tasks, \d/);
  const json = await execgo(['gc', '--older-than', '0s', '--dry-run', '--json', '--server', daemon.url]);
  expect(JSON.parse(json.stdout)).toMatchObject({ dry_run: true, candidates: 2, tasks: ['a', 'b'] });
  // Nothing is due yet, and nobody looks.
  expect(await gc(daemon)).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  expect(dirs(daemon)).toEqual(['a', 'b']);
  expect(await gc(daemon, '--older-than', '0s')).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  expect((await http(daemon.url).get('/api/v1/tasks')).body.tasks).toEqual([]);
  expect(dirs(daemon)).toEqual([]);
});

test('without a daemon: by what the last one kept to, and the daemon finds all in order', async () => {
  const daemon = await daemonWith('a', 'b');
  await daemon.restart({ flags: [...QUIET, '--retain-max-tasks', '1'] });
  await waitFor(async () => (await http(daemon.url).get('/api/v1/tasks')).body.tasks.length === 1, {
    what: 'the first collection',
  });
  await submitAndWait(daemon, command('true', [], { task_id: 'c' }));
  await daemon.stop();
  expect(JSON.parse((await gc(daemon, '--dry-run', '--json')).stdout)).toMatchObject({
    candidates: 1,
    tasks: ['b'],
  });
  const done = await gc(daemon, '--json');
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(done.stdout)).toMatchObject({ removed: 1, tasks: ['b'], problems: [] });
  expect(dirs(daemon)).toEqual(['c']);
  expect(fs.readdirSync(join(daemon.dataDir, 'trash'))).toEqual([]);
  expect(JSON.parse((await gc(daemon, '--older-than', '0s', '--json')).stdout).bytes_freed).toBeGreaterThan(
    0,
  );
  await daemon.restart({ flags: QUIET });
  expect((await http(daemon.url).get('/api/v1/tasks')).body.tasks).toEqual([]);
});

test('two at once, and a daemon that starts meanwhile, do each other no harm', async () => {
  const many = Array.from({ length: 120 }, (_, i) => `t${i}`);
  const daemon = await startDaemon({ flags: [...QUIET, '--max-queued-tasks', '1000'] });
  const tasks = many.map((task_id) => command('true', [], { task_id }));
  await http(daemon.url).post('/api/v1/tasks/batch', { tasks });
  await submitAndWait(daemon, command('true', [], { task_id: 'last', policy: { priority: -1 } }));
  await daemon.stop();
  const [one, two] = await Promise.all([
    gc(daemon, '--older-than', '0s', '--json'),
    gc(daemon, '--older-than', '0s', '--json'),
    daemon.restart(),
  ]);
  expect([one.code, two.code, one.stderr, two.stderr]).toEqual([0, 0, '', '']);
  const removed = [one, two].map(({ stdout }) => (JSON.parse(stdout) as { removed: number }).removed);
  expect(removed.reduce((a, b) => a + b)).toBe(121);
  expect((await http(daemon.url).get('/api/v1/tasks')).body.tasks).toEqual([]);
  expect(dirs(daemon)).toEqual([]);
});

test('what is wrong is said in one line', async () => {
  const empty = tempDir();
  const missing = await execgo(['gc', '--data-dir', empty]);
  expect([missing.code, missing.stdout]).toEqual([1, '']);
  expect(missing.stderr).toMatch(/^execgo: .* is not a data directory.*--data-dir.*\n$/);
  expect(fs.readdirSync(empty)).toEqual([]);
  expect((await execgo(['gc', '--data-dir', empty, '--server', 'http://127.0.0.1:1'])).code).toBe(2);
  expect((await execgo(['gc', '--older-than', '7'])).code).toBe(2);
  fs.writeFileSync(join(empty, 'runtime.db'), 'no database at all, whatever its name says');
  const damaged = await execgo(['gc', '--data-dir', empty, '--older-than', '0s']);
  expect([damaged.code, damaged.stderr]).toEqual([1, expect.stringContaining('not a SQLite database')]);
  const away = await execgo(['gc', '--server', 'http://127.0.0.1:1']);
  expect([away.code, away.stderr]).toEqual([1, expect.stringContaining('cannot reach')]);
});
