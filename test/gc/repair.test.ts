import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  command,
  type Daemon,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const REPORT = 'files and rows did not fit together; put right what could be';
const report = (daemon: Daemon) =>
  waitFor(() => daemon.logs().find((line) => line.msg === REPORT), { what: 'the report of the repair' });
const trash = (daemon: Daemon) => fs.readdirSync(join(daemon.dataDir, 'trash'));

test('what a crash has left is found at the start, put right and told', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const tasks = join(daemon.dataDir, 'tasks');
  for (const task_id of ['whole', 'no-result', 'half', 'empty', 'tmp', 'gone', 'odd'])
    await submitAndWait(daemon, command('sh', ['-c', 'echo out; echo err >&2; exit 3'], { task_id }));
  await submit(daemon, command('sleep', ['600'], { task_id: 'runs' }));
  await submit(daemon, script('echo from the script', { task_id: 'waits' }));
  await waitFor(async () => (await http(daemon.url).get('/api/v1/tasks/runs')).body.pid, {
    what: 'the start',
  });
  const whole = fs.readFileSync(join(tasks, 'half', 'result.json'), 'utf8');
  await daemon.kill();

  fs.rmSync(join(tasks, 'no-result', 'result.json'));
  fs.writeFileSync(join(tasks, 'half', 'result.json'), whole.slice(0, 300));
  fs.writeFileSync(join(tasks, 'empty', 'result.json'), '');
  fs.writeFileSync(join(tasks, 'tmp', 'result.json.tmp'), '{"half');
  fs.rmSync(join(tasks, 'odd', 'result.json'));
  fs.symlinkSync('/nowhere', join(tasks, 'odd', 'result.json'));
  for (const id of ['gone', 'waits']) fs.rmSync(join(tasks, id), { recursive: true });
  fs.mkdirSync(join(tasks, 'orphan', 'deep', 'er'), { recursive: true });
  fs.writeFileSync(join(tasks, 'orphan', 'deep', 'file'), 'x');
  fs.writeFileSync(join(tasks, 'a file'), 'x');
  fs.mkdirSync(Buffer.concat([Buffer.from(`${tasks}/`), Buffer.from([0xff, 0xfe])]));
  fs.symlinkSync('/etc', join(tasks, 'link'));
  fs.mkdirSync(join(daemon.dataDir, 'trash', 'left', 'over'), { recursive: true });

  await daemon.restart();
  const told = await report(daemon);
  expect(told).toMatchObject({
    orphans: { count: 4, first: expect.arrayContaining(['orphan', 'a file', 'link']) },
    without_directory: { count: 1, first: ['gone'] },
    results: { count: 4, first: expect.arrayContaining(['no-result', 'half', 'empty', 'odd']) },
    temporary: { count: 1, first: ['tmp/result.json.tmp'] },
  });
  expect(trash(daemon)).toEqual([]);
  expect(fs.existsSync('/etc/passwd')).toBe(true);
  expect(fs.readdirSync(tasks).sort()).toEqual(
    expect.arrayContaining(['empty', 'half', 'no-result', 'odd', 'runs', 'tmp', 'whole']),
  );
  expect(fs.readdirSync(tasks)).not.toContain('orphan');
  for (const id of ['no-result', 'half', 'empty', 'odd', 'whole', 'tmp']) {
    const result = JSON.parse(fs.readFileSync(join(tasks, id, 'result.json'), 'utf8'));
    expect(result).toEqual((await http(daemon.url).get(`/api/v1/tasks/${id}`)).body);
    expect(result).toMatchObject({ status: 'failed', exit_code: 3, stdout: 'out\n', stderr: 'err\n' });
    expect(fs.existsSync(join(tasks, id, 'result.json.tmp'))).toBe(false);
  }
  expect((await http(daemon.url).get('/api/v1/tasks/gone')).body).toMatchObject({
    status: 'failed',
    stdout: '',
    exit_code: 3,
  });
  await http(daemon.url).post('/api/v1/tasks/runs/kill');
  expect(await waitForEnd(daemon, 'waits')).toMatchObject({ status: 'success', stdout: 'from the script\n' });

  await daemon.restart({ flags: ['--log-level', 'debug'] });
  const lines = daemon.logs().filter((line) => line.msg === REPORT).length;
  await waitFor(
    () =>
      daemon.logs().some((line) => line.msg === 'files and rows fit together') ||
      daemon.logs().filter((l) => l.msg === REPORT).length > lines,
    { what: 'the second check' },
  );
  // What is lost stays lost, and is told again; the rest is in order.
  expect(
    daemon
      .logs()
      .filter((line) => line.msg === REPORT)
      .at(-1),
  ).toMatchObject({ without_directory: { count: 1 } });
  expect(
    daemon
      .logs()
      .filter((line) => line.msg === REPORT)
      .at(-1),
  ).not.toHaveProperty('results');
});

test('a task that spoils its own directory ends all the same', async () => {
  const daemon = await startDaemon();
  const dir = (id: string) => join(daemon.dataDir, 'tasks', id);
  const spoilt: Record<string, string> = {
    removed: `rm -rf '${dir('removed')}'`,
    link: `rm -rf '${dir('link')}'; ln -s / '${dir('link')}'`,
    file: `rm -rf '${dir('file')}'; echo > '${dir('file')}'`,
    taken: `mkdir '${dir('taken')}/result.json'`,
    immutable: `chattr +i '${dir('immutable')}'`,
  };
  for (const [task_id, text] of Object.entries(spoilt))
    expect(await submitAndWait(daemon, command('sh', ['-c', `${text}; exit 5`], { task_id }))).toMatchObject({
      status: 'failed',
      exit_code: 5,
    });
  await submitAndWait(daemon, command('chattr', ['-i', dir('immutable')]));
  const { body } = await http(daemon.url).post('/api/v1/gc', { older_than_ms: 0 });
  expect(body).toMatchObject({ removed: 6, problems: [] });
  expect(fs.readdirSync(join(daemon.dataDir, 'tasks'))).toEqual([]);
  expect(trash(daemon)).toEqual([]);
});
