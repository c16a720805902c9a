import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inheritedEnvironment } from '../../src/daemon/inherited-environment.js';
import {
  command,
  http,
  isAlive,
  processesOf,
  script,
  startDaemon,
  submit,
  submitAndWait,
  TASKS_HAVE_NODE,
  tempDir,
  waitFor,
} from '../harness/index.js';

describe.each(['libc', 'execa'])('with the %s launcher', (launcher) => {
  const start = (flags: string[] = [], env: Record<string, string> = {}) =>
    startDaemon({ flags: ['--launcher', launcher, ...flags], env });

  test('a task sees its workspace, an empty stdin, and an environment of its own', async () => {
    const daemon = await start([], { HOME: '/root', LANG: 'C', SECRET: 'of the daemon' });
    const end = await submitAndWait(
      daemon,
      script('pwd; cat; env | sort', {
        execution: {
          kind: 'script',
          script: 'pwd; cat; env | sort',
          env: {
            ...{ LANG: 'C.UTF-8', MINE: 'a b' },
            ...{ EXECGO_LAUNCH: 'chosen', EXECGO_TASK_ID: 'chosen', EXECGO_ATTEMPT: '7' },
            ...{ EXECGO_TASK_SOCKET: 'chosen', EXECGO_TASK_TOKEN: 'chosen' },
          },
        },
        sandbox: { workspace_subdir: 'a/b' },
      }),
    );
    expect(end.error).toBeUndefined();
    const [cwd, ...env] = end.stdout.trimEnd().split('\n');
    expect(cwd).toBe(realpathSync(join(end.artifacts.task_dir, 'workspace/a/b')));
    const variables = Object.fromEntries(env.map((e) => [e.split('=')[0], e.slice(e.indexOf('=') + 1)]));
    expect(variables).toMatchObject({
      PATH: inheritedEnvironment(process.env)['PATH'],
      HOME: '/root',
      LANG: 'C.UTF-8',
      MINE: 'a b',
      EXECGO_TASK_ID: end.task_id,
      EXECGO_ATTEMPT: '1',
      EXECGO_TASK_SOCKET: join(daemon.dataDir, 'task.sock'),
    });
    expect(variables['EXECGO_TASK_TOKEN']).toMatch(/^\d+\.[\w-]{43}$/);
    expect(variables['EXECGO_TASK_TOKEN']).not.toContain(variables['EXECGO_LAUNCH']);
    expect(variables['EXECGO_LAUNCH']).not.toBe('chosen');
    expect(variables['SECRET']).toBeUndefined();
    const known = [
      'PATH',
      'HOME',
      'LANG',
      'TMPDIR',
      'USER',
      'MINE',
      'EXECGO_TASK_ID',
      'EXECGO_LAUNCH',
      'EXECGO_ATTEMPT',
      'EXECGO_TASK_SOCKET',
      'EXECGO_TASK_TOKEN',
      'PWD',
      'OLDPWD',
      '_',
      'SHLVL',
    ];
    expect(Object.keys(variables).filter((name) => !known.includes(name))).toEqual([]);
  });

  test('ends: exit codes, signals, not found, not executable', async () => {
    const daemon = await start();
    expect(await submitAndWait(daemon, command('true'))).toMatchObject({
      status: 'success',
      cause: 'exit',
      exit_code: 0,
    });
    expect(await submitAndWait(daemon, script('exit 42'))).toMatchObject({
      status: 'failed',
      cause: 'exit',
      exit_code: 42,
      error: { code: 'exit_nonzero', message: 'task exited with code 42' },
    });
    const signalled = await submitAndWait(daemon, script('kill -SEGV $$'));
    expect(signalled).toMatchObject({
      status: 'failed',
      cause: 'signal',
      exit_signal: 11,
      error: { code: 'signal', message: 'task terminated by signal 11' },
    });
    expect(signalled.exit_code).toBeUndefined();
    for (const program of ['no-such-program', '/no/such/file', '/etc/passwd', '/tmp']) {
      const failed = await submitAndWait(daemon, command(program));
      expect(failed, program).toMatchObject({
        status: 'failed',
        cause: 'launch',
        duration_ms: 0,
        error: { code: 'launch_failed', message: expect.stringContaining(program) },
      });
      expect(failed.started_at, program).toBeUndefined();
    }
  });

  test('arguments arrive as they were given', async () => {
    const daemon = await start();
    const args = ['', ' ', '$(id)', '"', "'", '\\', 'a\nb', '-n', '--', '*', 'ü€😀'];
    const end = await submitAndWait(daemon, command('printf', ['[%s]', ...args]));
    expect(end.stdout).toBe(args.map((a) => `[${a}]`).join(''));
  });

  test('a program is looked up in the PATH of the task', async () => {
    const dir = tempDir();
    const daemon = await start();
    const own = { env: { PATH: dir } };
    const missing = await submitAndWait(daemon, { execution: { kind: 'command', program: 'ls', ...own } });
    expect(missing).toMatchObject({ cause: 'launch' });
    const found = await submitAndWait(daemon, {
      execution: { kind: 'command', program: 'ls', args: ['-d', '/'], env: { PATH: `${dir}:/bin` } },
    });
    expect(found.stdout).toBe('/\n');
  });

  test('scripts: file names, modes and interpreters', async () => {
    const daemon = await start();
    const cases: [string[] | undefined, string, string, string][] = [
      [undefined, 'echo "$0"', 'script.sh', '/bin/sh\n'],
      [['/bin/sh', '-e'], 'basename "$0"', 'script.sh', 'script.sh\n'],
      [['python3'], 'print(6 * 7)', 'script.py', '42\n'],
      [['node'], 'console.log(6 * 7)', 'script.js', '42\n'],
    ];
    for (const [interpreter, text, file, stdout] of cases) {
      if (interpreter?.[0] === 'node' && !TASKS_HAVE_NODE) continue;
      const end = await submitAndWait(daemon, {
        execution: { kind: 'script', script: text, ...(interpreter === undefined ? {} : { interpreter }) },
      });
      expect(end.stdout, file).toBe(stdout);
      expect(end.artifacts.script_path).toBe(join(end.artifacts.task_dir, file));
      expect(readFileSync(end.artifacts.script_path!, 'utf8')).toBe(text);
      expect(statSync(end.artifacts.script_path!).mode & 0o777).toBe(0o700);
    }
  });

  test('the wall time ends it, whatever it does', async () => {
    const daemon = await start(['--termination-grace-ms', '200']);
    const polite = await submitAndWait(daemon, command('sleep', ['60'], { limits: { wall_time_ms: 100 } }));
    expect(polite).toMatchObject({
      status: 'failed',
      cause: 'timeout',
      exit_signal: 15,
      error: { code: 'timeout', message: 'task exceeded wall_time_ms: 100 ms, as its request says' },
    });
    const stubborn = script("trap '' TERM; while :; do sleep 0.05; done", { limits: { wall_time_ms: 100 } });
    expect(await submitAndWait(daemon, stubborn)).toMatchObject({ cause: 'timeout', exit_signal: 9 });
    const graceful = script("trap 'exit 0' TERM; while :; do sleep 0.05; done", {
      limits: { wall_time_ms: 300 },
    });
    expect(await submitAndWait(daemon, graceful)).toMatchObject({
      status: 'failed',
      cause: 'timeout',
      exit_code: 0,
    });
  });

  test('background children do not outlive their task, nor delay its end', async () => {
    const daemon = await start();
    const end = await submitAndWait(daemon, script('sleep 600 & setsid sleep 601 & echo $!; exit 0'));
    expect(end).toMatchObject({ status: 'success', stdout: expect.stringMatching(/^\d+\n$/) });
    await waitFor(() => processesOf(end.task_id).length === 0, { what: 'the end of the children' });
    expect(isAlive(Number(end.stdout))).toBe(false);
  });

  test('output: bytes, caps, tails', async () => {
    const daemon = await start();
    const binary = await submitAndWait(daemon, script("printf 'a\\0b\\377\\303\\244'; printf err >&2"));
    expect(readFileSync(binary.artifacts.stdout_path)).toEqual(Buffer.from([97, 0, 98, 255, 195, 164]));
    expect(binary).toMatchObject({
      stdout: 'a\0b\ufffdä',
      stderr: 'err',
      stdout_bytes: 6,
      stdout_truncated: false,
    });

    const capped = await submitAndWait(
      daemon,
      script('seq 1 100000; echo the end >&2', {
        limits: { stdout_max_bytes: 1000, stdout_keep_bytes: 1000 },
      }),
    );
    const all = Array.from({ length: 100_000 }, (_, i) => `${i + 1}\n`).join('');
    expect(statSync(capped.artifacts.stdout_path).size).toBe(1000);
    expect(capped).toMatchObject({
      stdout: all.slice(0, 1000),
      stdout_truncated: true,
      stdout_bytes: all.length,
      stdout_omitted_bytes: all.length - 1000 - 65_536,
    });
    expect(capped.stdout_tail).toBe(all.slice(-65_536));
    expect(capped).toMatchObject({ stderr: 'the end\n', stderr_truncated: false, stderr_bytes: 8 });
    for (const keep of [{ stdout_keep_bytes: 5 }, {}]) {
      const limits = { stdout_max_bytes: 5, ...keep };
      const touching = await submitAndWait(daemon, script('printf ééé', { limits }));
      expect(touching).toMatchObject({ stdout: 'éé', stdout_tail: 'é', stdout_bytes: 6 });
      expect(touching).not.toHaveProperty('stdout_omitted_bytes');
    }
    const toDevice = await submitAndWait(daemon, script('echo x > /dev/stdout; echo y > /dev/stderr'));
    if (launcher === 'libc') expect(toDevice).toMatchObject({ stdout: 'x\n', stderr: 'y\n' });
  });

  test('a flood past its cap neither blocks nor is blocked, and costs no memory', async () => {
    const daemon = await start(['--termination-grace-ms', '500']);
    const processes = [daemon.pid, daemon.supervisorPid()];
    const before = processes.map((pid) => memoryOf(pid, 'VmRSS'));
    const neighbour = submitAndWait(daemon, script('for i in 1 2 3 4 5; do sleep 0.1; echo $i; done'));
    const end = await submitAndWait(
      daemon,
      command('yes', [], { limits: { stdout_keep_bytes: 1_048_576, wall_time_ms: 2000 } }),
    );
    expect(end).toMatchObject({ status: 'failed', cause: 'timeout', stdout_truncated: true });
    expect(statSync(end.artifacts.stdout_path).size).toBe(1_048_576);
    expect(end.stdout_bytes).toBeGreaterThan(128 * 1_048_576);
    expect((await neighbour).stdout).toBe('1\n2\n3\n4\n5\n');
    // Far more than the flood's buffers need, far less than the flood itself.
    for (const [i, pid] of processes.entries())
      expect(memoryOf(pid, 'VmHWM') - (before[i] ?? 0)).toBeLessThan(64 * 1_048_576);
  });
});

/** A line of /proc/<pid>/status, in bytes. */
function memoryOf(pid: number, line: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${line}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
}

test('live usage while it runs, usage of the whole after the end', async () => {
  const daemon = await startDaemon();
  const id = await submit(
    daemon,
    script('x=$(head -c 30000000 /dev/zero | tr "\\0" x); sleep 60; echo ${#x}'),
  );
  const api = http(daemon.url);
  const live = await waitFor(
    async () => {
      const { body } = await api.get(`/api/v1/tasks/${id}`);
      return body.usage?.memory_bytes > 30_000_000 ? body.usage : undefined;
    },
    { what: 'live memory' },
  );
  expect(live).toMatchObject({ duration_ms: expect.any(Number), processes: expect.any(Number) });
  await api.post(`/api/v1/tasks/${id}/kill?wait_ms=30000`);
  const busy = await submitAndWait(daemon, script('i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'));
  expect(busy.usage!.user_cpu_ms).toBeGreaterThan(0);
  expect(busy.usage!.duration_ms).toBe(busy.duration_ms);
});
