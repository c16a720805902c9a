import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  command,
  EXECGO_IN_TASK,
  execgo,
  http,
  inTerminal,
  processesOf,
  script,
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
  for (const [line, words] of [
    ['make test', 'make test'],
    ['make  && make test', "sh -c 'make  && make test'"],
    ['CC=cc make', "sh -c 'CC=cc make'"],
    ["echo 'a'", `sh -c 'echo '\\''a'\\'''`],
  ] as const) {
    const { code, stderr } = await run('--wall-time', '0', '--', line);
    expect([code, stderr]).toEqual([125, expect.stringContaining(`not found in the task's PATH`)]);
    expect(stderr).toContain(
      `it was given as one word, and is taken for the name of a program; write execgo run -- ${words})`,
    );
  }
  expect((await run('--', 'cd', '/')).stderr).toContain(
    "it is a word of the shell; write execgo run -- sh -c 'cd /')",
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
    expect(JSON.parse(stdout).error.message).toMatch(/^invalid input: task_id: /);
    // A request in JSON was written with the names of the API.
    const name = args.includes('--id') ? '--id' : 'task_id';
    expect(stderr).toMatch(new RegExp(`^execgo: invalid input: ${name}: [^\\n]*\\n$`));
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

test('a refusal names the flag that was typed, and no name of the API', async () => {
  const daemon = await startDaemon({ flags: ['--tenant-quota', 'small=slots:1,memory:1000000'] });
  const cases: [flag: string, args: string[]][] = [
    ['--id', ['run', '--id', 'no good', 'true']],
    ['-C', ['run', '-C', `/${'x'.repeat(300)}`, 'true']],
    ['-e', ['run', '-e', ' =x', 'true']],
    ['the program', ['run', '--', '']],
    ['--script', ['run', '--script', '-']],
    ['--interpreter', ['run', '--script', '-', '--interpreter', '']],
    ['--wall-time', ['run', '--wall-time', '9007199254740992ms', 'true']],
    ...['cpu-time', 'cpu-millis', 'memory', 'pids', 'nofile', 'io-read', 'io-write'].map(
      (name): [string, string[]] => [`--${name}`, ['submit', `--${name}`, '0', '--', 'true']],
    ),
    ['--nice', ['submit', '--nice', '99', 'true']],
    ['--memory', ['submit', '--memory', '999T', 'true']],
    ['--memory', ['submit', '--tenant', 'small', '--memory', '1M', 'true']],
    ['--stdout-max', ['submit', '--stdout-max', '0', 'true']],
    ['--stderr-keep', ['submit', '--stderr-keep', '0', 'true']],
    ['--queue-timeout', ['submit', '--queue-timeout', '0', 'true']],
    ['--workspace-subdir', ['submit', '--workspace-subdir', '../x', 'true']],
    ['--tenant', ['submit', '--tenant', ' ', 'true']],
    ['--owner', ['submit', '--owner', 'a\nb', 'true']],
    ['--queue', ['submit', '--queue', '', 'true']],
    ['--lane', ['submit', '--lane', '', 'true']],
    ['--session', ['submit', '--session', '', 'true']],
    ['--label', ['submit', '--label', ' =x', 'true']],
    ['--idempotency-key', ['submit', '--idempotency-key', ' ', 'true']],
    ['--status', ['list', '--status', 'done']],
    ['--tenant', ['list', '--tenant', '']],
    ['--cursor', ['list', '--cursor', 'x']],
    ['--grace', ['kill', '--grace', '9d', 'any']],
  ];
  for (const [flag, args] of cases) {
    const { code, stdout, stderr } = await execgo(args, { daemon });
    const what = `${args.join(' ').slice(0, 100)}: ${stderr}`;
    expect([code, stdout, stderr.includes(flag)], what).toEqual([code === 2 ? 2 : 1, '', true]);
    expect(stderr, what).not.toMatch(
      /execution|limits\b|sandbox\.|policy|control_context|task_id|[a-z]_(bytes|ms|sec|max|id|key)\b/,
    );
  }
  const alone = await execgo(['run', '--queue', 'q', '--session', 's', 'true'], { daemon });
  expect(alone).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^execgo: session not found: s \(execgo session list /),
  });
  const late = await execgo(['run', '--wall-time', '50ms', 'sleep', '60'], { daemon });
  expect(late.stderr).toBe('execgo: task exceeded --wall-time: 50 ms, as its request says\n');
});

test('at a terminal, run says why its task waits, and Ctrl-C cancels it', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const first = await submit(daemon, command('sleep', ['600']));
  const run = inTerminal(['run', '--id', 'second', '--', 'echo', 'ran'], { daemon });
  const said = 'execgo: task second waits: needs 1 slot; 0 of 1 are free; Ctrl-C cancels it\n';
  await waitFor(() => run.shown().includes(said), { what: 'the reason' });
  run.type('\x03');
  expect(await run.ended).toBe(130);
  expect((await waitForEnd(daemon, 'second')).status).toBe('cancelled');
  expect(run.shown().split(said)).toHaveLength(2);
  // Elsewhere standard error is the task's alone.
  const quiet = await execgo(['run', '--id', 'third', '--timeout-ms', '1500', '--', 'true'], { daemon });
  expect([quiet.code, quiet.stderr]).toEqual([
    124,
    expect.stringMatching(/^execgo: task third did not end within/),
  ]);
  expect((await execgo(['kill', first, 'third'], { daemon })).code).toBe(0);
});

test('at a terminal, list fits into its width, and elsewhere it leaves nothing out', async () => {
  const daemon = await startDaemon();
  const long = `echo ${'x'.repeat(100)}`;
  const id = await submit(daemon, script(long, { control_context: { queue: 'a-queue-with-a-long-name' } }));
  const named = 'n'.repeat(100);
  await submit(daemon, { ...script(long), task_id: named });
  for (const task of [id, named]) await waitForEnd(daemon, task);
  for (const columns of [80, 100, 160]) {
    const list = inTerminal(['list'], { daemon, columns });
    expect(await list.ended).toBe(0);
    const lines = list.shown().trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
    expect(lines[1]).toMatch(/^n{14,}…? .*echo x*…$/);
    expect(lines[2]).toMatch(new RegExp(`^${id} .*success .*echo x*…$`));
  }
  const piped = await execgo(['list'], { daemon });
  expect(JSON.parse(piped.stdout).tasks.map((task: { command: string }) => task.command)).toEqual([
    long,
    long,
  ]);
});
