import fs from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { Finding } from '../../src/offline/doctor.js';
import {
  cgroupName,
  command,
  execgo,
  http,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
} from '../harness/index.js';

async function doctor(dataDir: string, ...args: string[]) {
  const root = ['--cgroup-root', `/sys/fs/cgroup/${cgroupName()}`];
  const result = await execgo(['doctor', '--data-dir', dataDir, ...root, '--json', ...args]);
  expect(result.stderr).toBe('');
  const { ok, findings } = JSON.parse(result.stdout) as { ok: boolean; findings: Finding[] };
  expect(result.code).toBe(ok ? 0 : 1);
  const of = (level: string) => findings.filter((f) => f.level === level);
  return { ok, findings, problems: of('problem').map((f) => `${f.check}: ${f.message}`), of };
}

test('a healthy directory, with a daemon at work and without one', async () => {
  const daemon = await startDaemon();
  await submitAndWait(daemon, command('true'));
  const running = await submit(daemon, command('sleep', ['600']));
  await waitFor(async () => (await http(daemon.url).get(`/api/v1/tasks/${running}`)).body.pid, {
    what: 'the start',
  });
  const online = await doctor(daemon.dataDir);
  expect(online.problems).toEqual([]);
  expect(new Set(online.of('ok').map((f) => f.check))).toEqual(
    new Set(['host', 'permissions', 'disk', 'database', 'daemon', 'ledger', 'supervisor', 'files']),
  );
  expect(online.findings.find((f) => f.check === 'ledger')?.message).toBe(
    '1 reservation is held, as the daemon has it',
  );
  await http(daemon.url).post(`/api/v1/tasks/${running}/kill?wait_ms=20000`);
  await daemon.stop();
  const before = fs.readdirSync(daemon.dataDir).sort();
  const offline = await doctor(daemon.dataDir);
  expect(offline.problems).toEqual([]);
  expect(offline.of('note').map((f) => f.message)).toContain('no daemon runs here');
  expect(fs.readdirSync(daemon.dataDir).sort()).toEqual(before);
});

test('for people it is words, and says what to do', async () => {
  const missing = join(tempDir(), 'nowhere');
  const { code, stdout } = await execgo(['doctor', '--data-dir', missing]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^PROBLEM {2}data directory: .*nowhere does not exist\n {9}name it with --data-dir/);
  expect(fs.existsSync(missing)).toBe(false);
});

test('what is wrong with files, permissions and processes is found', async () => {
  const daemon = await startDaemon();
  for (const task_id of ['a', 'b', 'c', 'd']) await submitAndWait(daemon, command('true', [], { task_id }));
  const tasks = join(daemon.dataDir, 'tasks');
  fs.rmSync(join(tasks, 'a'), { recursive: true });
  fs.rmSync(join(tasks, 'b', 'result.json'));
  fs.writeFileSync(join(tasks, 'c', 'result.json'), '{"cut off');
  fs.writeFileSync(join(tasks, 'd', 'result.json.tmp'), '{');
  for (let i = 1; i <= 7; i++) fs.mkdirSync(join(tasks, `stranger-${i}`));
  fs.chmodSync(join(daemon.dataDir, 'runtime.db'), 0o644);
  fs.chmodSync(tasks, 0o755);
  const { problems, findings } = await doctor(daemon.dataDir);
  expect(problems).toEqual([
    `permissions: ${tasks} can be used by others (mode 755)`,
    `permissions: ${daemon.dataDir}/runtime.db can be used by others (mode 644)`,
    expect.stringMatching(/^files: 7 directories without a task: (stranger-\d, ){5}…$/),
    'files: 1 ended tasks without a directory: a',
    'files: 1 ended tasks without result.json: b',
    'files: 1 ended tasks with a damaged result.json: c',
    'files: 1 ended tasks with half-written files: d',
  ]);
  for (const f of findings) if (f.level === 'problem') expect(f.advice, f.message).toMatch(/\w/);
  await daemon.restart();
  // The daemon does not change modes that somebody has set, but for its database.
  await waitFor(async () => (await doctor(daemon.dataDir)).problems.length === 2, { what: 'the repair' });
});

test('a ledger that is not what the rows say is found', async () => {
  const daemon = await startDaemon();
  await submit(daemon, command('sleep', ['600'], { task_id: 'runs' }));
  await waitFor(async () => (await http(daemon.url).get('/api/v1/tasks/runs')).body.pid, {
    what: 'the start',
  });
  const db = new Database(join(daemon.dataDir, 'runtime.db'));
  const release =
    "UPDATE tasks SET status = 'success', cause = 'exit', exit_code = 0, finished_at_ms = 1, released_at_ms = 1";
  db.exec(release);
  const { problems } = await doctor(daemon.dataDir);
  db.exec(
    "UPDATE tasks SET status = 'running', cause = NULL, exit_code = NULL, finished_at_ms = NULL, released_at_ms = NULL",
  );
  db.close();
  expect(problems).toContain('ledger: the ledger holds a reservation for runs, which no row does');
  await http(daemon.url).post('/api/v1/tasks/runs/kill?wait_ms=20000');
});

test('a database that is damaged, and a supervisor that is gone, are found', async () => {
  const daemon = await startDaemon();
  await submit(daemon, command('sleep', ['600'], { task_id: 'runs' }));
  await waitFor(async () => (await http(daemon.url).get('/api/v1/tasks/runs')).body.pid, {
    what: 'the start',
  });
  await daemon.kill();
  process.kill(daemon.supervisorPid(), 'SIGKILL');
  await waitFor(async () => (await doctor(daemon.dataDir)).problems.length === 2, { what: 'the findings' });
  expect((await doctor(daemon.dataDir)).problems).toEqual([
    expect.stringMatching(/^supervisor: supervisor .* is gone$/),
    'supervisor: 1 running tasks have no living supervisor, the first is runs',
  ]);
  await daemon.restart();
  await waitFor(async () => (await http(daemon.url).get('/api/v1/tasks/runs')).body.status === 'failed', {
    what: 'the end',
  });
  const copy = join(tempDir(), 'data');
  fs.mkdirSync(copy, { mode: 0o700 });
  fs.writeFileSync(join(copy, 'runtime.db'), 'not a database, whatever its name says', { mode: 0o600 });
  expect((await doctor(copy)).problems).toEqual([expect.stringContaining('it is not a SQLite database')]);
});
