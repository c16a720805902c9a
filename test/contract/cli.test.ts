import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  command,
  EXECGO_IN_TASK,
  execgo,
  http,
  processesOf,
  startDaemon,
  submit,
  tempDir,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

test('run streams both, each to its own, and exits as the task did', async () => {
  const daemon = await startDaemon();
  const run = (...args: string[]) => execgo(['run', ...args], { daemon });
  expect(await run('--', 'sh', '-c', 'echo out; echo err >&2; exit 3')).toEqual({
    code: 3,
    signal: null,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  expect((await run('--', 'true')).code).toBe(0);
  expect((await run('--', 'sh', '-c', 'kill -KILL $$')).code).toBe(137);
  const missing = await run('--', 'no-such-program');
  expect([missing.code, missing.stdout]).toEqual([125, '']);
  expect(missing.stderr).toContain('no-such-program');
  const bytes = await run('--', 'sh', '-c', 'head -c 3000000 /dev/zero');
  expect([bytes.code, bytes.stdout.length]).toEqual([0, 3_000_000]);
  const printed = await run('-o', 'json', '--', 'sh', '-c', 'echo out; exit 4');
  expect(printed.code).toBe(4);
  expect(JSON.parse(printed.stdout)).toMatchObject({ status: 'failed', exit_code: 4, stdout: 'out\n' });
});

test('the old form of run and submit takes a request and prints JSON', async () => {
  const daemon = await startDaemon();
  const request = JSON.stringify({ execution: { kind: 'script', script: 'echo hi; exit 2' } });
  const file = join(tempDir(), 'request.json');
  writeFileSync(file, request);
  const run = await execgo(['run', '--json', request], { daemon });
  expect([run.code, JSON.parse(run.stdout).exit_code]).toEqual([2, 2]);
  for (const args of [
    ['--file', file],
    ['--file', '-'],
  ]) {
    const submitted = await execgo(['submit', ...args], { daemon, input: request });
    expect(submitted.code).toBe(0);
    const answer = JSON.parse(submitted.stdout);
    expect(answer).toMatchObject({ status: 'accepted', handle_id: answer.task_id });
    const waited = await execgo(['wait', answer.task_id], { daemon });
    expect([waited.code, JSON.parse(waited.stdout).status]).toEqual([2, 'failed']);
  }
});

test('run and submit start a task where they are called, or where they are told', async () => {
  const dir = realpathSync(tempDir());
  for (const name of ['sub', 'bin']) mkdirSync(join(dir, name));
  // The machine may have no make; one that wants its file in the current directory does as well.
  writeFileSync(join(dir, 'bin/make'), '#!/bin/sh\nread text < Makefile && echo "$1 $text"\n', {
    mode: 0o755,
  });
  writeFileSync(join(dir, 'Makefile'), 'of this project\n');
  const daemon = await startDaemon({ env: { PATH: `${dir}/bin:${process.env['PATH'] ?? ''}` } });
  writeFileSync(join(dir, 'build.sh'), '#!/bin/sh\necho built\n', { mode: 0o755 });
  const run = (...args: string[]) => execgo(['run', ...args], { daemon, cwd: dir });
  // The first example of the help.
  expect(await run('--', 'make', 'test')).toMatchObject({
    code: 0,
    stdout: 'test of this project\n',
    stderr: '',
  });
  expect((await run('--memory', '256M', '--', './build.sh')).stdout).toBe('built\n');
  expect((await run('-C', 'sub', '--', 'pwd', '-P')).stdout).toBe(`${dir}/sub\n`);
  expect((await execgo(['run', '--script', '-'], { daemon, cwd: dir, input: 'pwd -P' })).stdout).toBe(
    `${dir}\n`,
  );
  const workspace = (await run('--id', 'own', '--workspace', '--', 'pwd', '-P')).stdout.trim();
  expect(workspace).toBe(realpathSync(join(daemon.dataDir, 'tasks', 'own', 'workspace')));
  const submitted = await execgo(['submit', '--', 'pwd', '-P'], { daemon, cwd: dir });
  expect(await waitForEnd(daemon, submitted.stdout.trim())).toMatchObject({ cwd: dir, stdout: `${dir}\n` });
  expect((await run('--wall-time', '0', '--', 'make test')).stderr).toMatch(
    /"make test": not found in the task's PATH.*sh -c/,
  );
  const missing = await run('-C', 'no-such', '--', 'true');
  expect(missing.code).toBe(125);
  expect(missing.stderr).toMatch(/working directory \S+no-such does not exist;.*-C .*--workspace/);
  const gone = await execgo(
    ['run', '--', 'sh', '-c', `cd ${dir}/sub && rmdir ../sub && ${EXECGO_IN_TASK} submit -- true`],
    { daemon, cwd: dir },
  );
  expect([gone.code, gone.stdout]).toEqual([2, '']);
  expect(gone.stderr).toContain('the current directory does not exist any more');
});

test('a refusal is JSON on standard output where an answer would be, and words on standard error', async () => {
  const daemon = await startDaemon();
  const asked = '{"task_id":"no good","execution":{"kind":"command","program":"true"}}';
  for (const args of [
    ['submit', '--json', asked],
    ['submit', '--file', '-'],
    ['submit', '--dry-run', '--json', asked],
    ['submit', '-o', 'json', '--id', 'no good', 'true'],
    ['run', '--json', asked],
    ['run', '--file', '-'],
    ['run', '-o', 'json', '--id', 'no good', 'true'],
  ]) {
    const { code, stdout, stderr } = await execgo(args, { daemon, input: asked });
    expect([code, JSON.parse(stdout).error.code], args.join(' ')).toEqual([1, 'invalid_input']);
    expect(stderr).toMatch(/^execgo: invalid input: task_id[^\n]*\n$/);
  }
  for (const args of [
    ['submit', '--id', 'no good', 'true'],
    ['run', '--id', 'no good', 'true'],
    ['run', '-o', 'stream', '--json', asked],
  ])
    expect(await execgo(args, { daemon })).toMatchObject({ code: 1, stdout: '' });
});

test('submit, status, logs, list, events, kill, wait', async () => {
  const daemon = await startDaemon();
  const run = (...args: string[]) => execgo(args, { daemon });
  const submitted = await run(
    'submit',
    '--id',
    'mine',
    '--owner',
    'me',
    '--',
    'sh',
    '-c',
    'seq 1 20; sleep 60',
  );
  expect(submitted).toMatchObject({ code: 0, stdout: 'mine\n' });
  await waitFor(async () => JSON.parse((await run('status', 'mine')).stdout).stdout_bytes > 40, {
    what: 'output',
  });
  expect((await run('logs', 'mine')).stdout).toBe(
    Array.from({ length: 20 }, (_, i) => `${i + 1}\n`).join(''),
  );
  expect(JSON.parse((await run('list', '--status', 'running')).stdout).tasks).toHaveLength(1);
  const timedOut = await run('wait', 'mine', '--timeout-ms', '50');
  expect(timedOut.code).toBe(124);
  const refused = await run('kill', 'mine');
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toContain('permission denied');
  expect((await run('kill', 'mine', '--owner', 'me')).code).toBe(0);
  expect((await run('wait', 'mine')).code).toBe(143);
  expect((await run('wait', '--exit-zero', 'mine')).code).toBe(0);
  const events = JSON.parse((await run('events', 'mine')).stdout);
  expect(events.at(-1)).toMatchObject({ event_type: 'cancelled' });
  const owner = await execgo(['kill', 'mine'], { daemon, env: { EXECGO_RUNTIME_OWNER: 'me' } });
  expect(JSON.parse(owner.stdout)).toMatchObject({ status: 'cancelled' });
});

test('logs -f follows to the end', async () => {
  const daemon = await startDaemon();
  const id = await submit(
    daemon,
    command('sh', ['-c', 'for i in 1 2 3; do echo $i; sleep 0.1; done; echo e >&2']),
  );
  const followed = await execgo(['logs', '-f', id], { daemon });
  expect(followed).toMatchObject({ code: 0, stdout: '1\n2\n3\n', stderr: 'e\n' });
});

test('Ctrl-C in run cancels the task', async () => {
  const daemon = await startDaemon();
  const interrupt = new AbortController();
  const running = execgo(['run', '--id', 'long', '--', 'sleep', '600'], {
    daemon,
    interrupt: interrupt.signal,
  });
  await waitFor(() => processesOf('long').some((p) => p.command.startsWith('sleep')), { what: 'the task' });
  interrupt.abort();
  const result = await running;
  expect(result.code).not.toBe(0);
  expect((await waitForEnd(daemon, 'long')).status).toBe('cancelled');
});

test('a run goes on while the daemon is restarted', async () => {
  const daemon = await startDaemon({ flags: ['--listen-addr', '127.0.0.1:0'] });
  const { port } = new URL(daemon.url);
  const running = execgo(['run', '--id', 'through', '--', 'sh', '-c', 'echo a; sleep 3; echo b; exit 9'], {
    daemon,
  });
  await waitFor(() => processesOf('through').length > 0, { what: 'the task' });
  await daemon.restart({ flags: ['--listen-addr', `127.0.0.1:${port}`] });
  expect(await running).toMatchObject({ code: 9, stdout: 'a\nb\n' });
});

test('what is wrong is said in one line', async () => {
  const daemon = await startDaemon();
  const oneLine = /^[^\n]+\n$/;
  const unreachable = await execgo(['status', 'x', '--server', 'http://127.0.0.1:1'], {});
  expect(unreachable.code).toBe(1);
  expect(unreachable.stderr).toMatch(oneLine);
  expect(unreachable.stderr).toContain('http://127.0.0.1:1');
  const cases: [string[], number][] = [
    [['status', 'nobody'], 1],
    [['kill', 'nobody'], 1],
    [['logs', 'nobody'], 1],
    [['events', 'nobody'], 1],
    [['wait', 'nobody'], 1],
    [['run', '--json', '{'], 2],
    [['submit'], 2],
    [['run'], 2],
    [['status'], 2],
    [['frobnicate'], 2],
    [['list', '--status', 'done'], 1],
    [['wait', 'x', '--timeout-ms', 'soon'], 2],
  ];
  for (const [args, code] of cases) {
    const result = await execgo(args, { daemon });
    expect([result.code, result.stdout], args.join(' ')).toEqual([code, '']);
    expect(result.stderr, args.join(' ')).not.toBe('');
    expect(result.stderr, args.join(' ')).not.toMatch(/\n\s+at /);
  }
  expect((await http(daemon.url).get('/api/v1/tasks')).body.tasks).toEqual([]);
});
