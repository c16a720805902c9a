import { chmodSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { childrenOf } from '../../src/sandbox/process/process-identity.js';
import { openFds } from '../harness/proc.js';
import { waitFor } from '../harness/wait.js';
import { buildSupervisor } from './build.js';
import { SupervisorUnderTest } from './harness.js';

let build: ReturnType<typeof buildSupervisor>;
beforeAll(() => {
  build = buildSupervisor();
});
afterAll(() => build.remove());

describe.each(['libc', 'execa'] as const)('the %s launcher', (launcher) => {
  const start = () => SupervisorUnderTest.start(build.entry, { launcher });

  test('tells exit codes, signals and times', async () => {
    const supervisor = await start();
    const before = Date.now();
    const zero = supervisor.sh('exit 0');
    const seven = supervisor.sh('exit 7');
    const killed = supervisor.sh('kill -9 $$');
    const codes = [125, 126, 127].map((code) => supervisor.sh(`exit ${code}`));
    expect(await supervisor.outcome(zero)).toMatchObject({ exit_code: 0, oom: false, cpu_exceeded: false });
    expect(await supervisor.outcome(seven)).toMatchObject({ exit_code: 7 });
    const outcome = await supervisor.outcome(killed);
    expect(outcome).toMatchObject({ signal: 9, pid: await supervisor.started(killed) });
    expect(outcome.exit_code).toBeUndefined();
    expect(outcome.first_stop).toBeUndefined();
    expect(outcome.started_at_ms).toBeGreaterThanOrEqual(before);
    expect(outcome.finished_at_ms).toBeGreaterThanOrEqual(outcome.started_at_ms!);
    for (const [index, id] of codes.entries())
      expect((await supervisor.outcome(id)).exit_code).toBe(125 + index);
  });

  test('says why a program cannot be launched, and keeps nothing of it', async () => {
    const supervisor = await start();
    const { dir } = supervisor;
    await supervisor.run('true');
    const fdsBefore = openFds(supervisor.process.pid).size;
    writeFileSync(join(dir, 'plain.txt'), 'no program');
    const missing = supervisor.launch(['no-such-program']);
    const plain = supervisor.launch([join(dir, 'plain.txt')]);
    const huge = supervisor.launch(['/bin/true', 'x'.repeat(3_000_000)]);
    const nul = supervisor.launch(['/bin/true', 'a\0b']);
    const nowhere = supervisor.launch(['/bin/true'], { cwd: join(dir, 'gone') });
    const failures = await Promise.all(
      [missing, plain, huge, nul, nowhere].map(async (id) => (await supervisor.outcome(id)).failure),
    );
    expect(failures.map((failure) => failure?.stage)).toEqual(Array(5).fill('launch'));
    expect(failures[0]?.message).toMatch(/^cannot launch "no-such-program": .*(no such file|not found)/);
    expect(failures[1]?.message).toMatch(/permission denied/i);
    expect(failures[2]?.message).toMatch(/argument list too long/i);
    expect(failures[3]?.message).toMatch(/NUL/);
    expect(failures[4]?.message).toMatch(/working directory .*gone does not exist/);
    const outcome = await supervisor.outcome(missing);
    expect(outcome).toMatchObject({ duration_ms: 0, stdout: { bytes: 0, kept_bytes: 0 } });
    expect(outcome.pid).toBeUndefined();
    expect(supervisor.messages.filter((m) => m.type === 'started')).toHaveLength(1);
    await waitFor(() => openFds(supervisor.process.pid).size === fdsBefore, { what: 'closed descriptors' });
  });

  test('runs an executable text without #! under /bin/sh', async () => {
    const supervisor = await start();
    const file = join(supervisor.dir, 'work', 'text');
    writeFileSync(file, 'echo "$0 $1"; exit 3\n');
    chmodSync(file, 0o755);
    const finished = await supervisor.finished(supervisor.launch(['./text', 'one']));
    expect(finished).toMatchObject({ outcome: { exit_code: 3 }, stdout: './text one\n' });
  });

  test('searches PATH as execvp does', async () => {
    const supervisor = await start();
    const work = join(supervisor.dir, 'work');
    for (const [directory, mode] of [
      ['locked', 0o644],
      ['open', 0o755],
    ] as const) {
      mkdirSync(join(work, directory));
      writeFileSync(join(work, directory, 'tool'), `#!/bin/sh\necho ${directory}\n`);
      chmodSync(join(work, directory, 'tool'), mode);
    }
    const found = supervisor.launch(['tool'], { env: { PATH: 'none:locked:open:/bin' } });
    expect((await supervisor.finished(found)).stdout).toBe('open\n');
    const locked = supervisor.launch(['tool'], { env: { PATH: 'none:locked' } });
    expect((await supervisor.outcome(locked)).failure?.message).toMatch(/permission denied/i);
    const directory = supervisor.launch(['open'], { env: { PATH: '.' } });
    expect((await supervisor.outcome(directory)).failure?.message).toMatch(
      /is a directory|permission denied/i,
    );
  });

  test('gives a task a clean surrounding', async () => {
    const supervisor = await start();
    const text = await supervisor.run(
      'ulimit -S -n; umask; readlink /proc/self/fd/0; ' +
        'grep -E "^Sig(Blk|Ign)" /proc/self/status; cat /proc/self/oom_score_adj; env',
      { env: { PATH: '/bin:/usr/bin', GREETING: 'grüß dich' } },
    );
    const lines = text.stdout.trim().split('\n');
    expect(lines.slice(0, 2)).toEqual(['1024', '0022']);
    expect(lines.slice(2, 6)).toEqual([
      '/dev/null',
      'SigBlk:\t0000000000000000',
      'SigIgn:\t0000000000000000',
      '0',
    ]);
    const env = lines.slice(6).filter((line) => !line.startsWith('PWD='));
    expect(env.sort()).toEqual(
      [
        'EXECGO_LAUNCH=' + supervisor.tokens.get(text.launchId)!,
        'GREETING=grüß dich',
        'PATH=/bin:/usr/bin',
      ].sort(),
    );
  });

  test('makes the task the leader of its own session', async () => {
    const supervisor = await start();
    const { stdout, outcome } = await supervisor.run('cut -d " " -f 1,5,6 /proc/$$/stat');
    expect(stdout).toBe(`${outcome.pid} ${outcome.pid} ${outcome.pid}\n`);
  });

  test('leaks no descriptor and no process over 300 launches', async () => {
    const supervisor = await start();
    const { pid } = supervisor.process;
    await supervisor.run('true');
    const before = openFds(pid).size;
    const count = launcher === 'libc' ? 300 : 60;
    for (let done = 0; done < count; done += 10) {
      const ids = Array.from({ length: 10 }, (_, n) =>
        n === 0 ? supervisor.launch(['no-such-program']) : supervisor.launch(['/bin/true']),
      );
      for (const id of ids) await supervisor.outcome(id);
    }
    await waitFor(() => openFds(pid).size === before, { what: 'closed descriptors' });
    expect(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')).toBe('');
  });

  test('passes arguments unchanged', async () => {
    const supervisor = await start();
    const args = ['', ' ', '-n', '$(id)', '`id`', '"quotes\'', 'line\nend', 'grüße 🌍', '*', '--'];
    const id = supervisor.launch(['/bin/sh', '-c', 'printf "%s\\0" "$@"', 'sh', ...args]);
    expect((await supervisor.finished(id)).stdout).toBe(args.map((arg) => arg + '\0').join(''));
  });

  test('says when the working directory has gone since', async () => {
    const supervisor = await start();
    const cwd = join(supervisor.dir, 'later');
    mkdirSync(cwd);
    expect((await supervisor.run('pwd', { cwd })).stdout).toBe(cwd + '\n');
    rmdirSync(cwd);
    const outcome = await supervisor.outcome(supervisor.launch(['/bin/true'], { cwd }));
    expect(outcome.failure).toMatchObject({
      stage: 'launch',
      message: expect.stringContaining('does not exist'),
    });
  });
});

test('the libc launcher gives descriptors 0, 1 and 2 and no other', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
  // ls itself opens the directory as 3.
  const { stdout } = await supervisor.run('ls /proc/self/fd');
  expect(stdout.trim().split('\n')).toEqual(['0', '1', '2', '3']);
});

test('the libc launcher gives pipes, so that /dev/stdout can be opened', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
  const finished = await supervisor.run('echo out > /dev/stdout; echo err > /dev/stderr');
  expect(finished).toMatchObject({ outcome: { exit_code: 0 }, stdout: 'out\n', stderr: 'err\n' });
});

test('the libc launcher measures CPU time, and memory above its own', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
  const script = 'head -c 300000000 /dev/zero | tail -c 300000000 | wc -c';
  const { outcome } = await supervisor.run(script);
  expect(outcome.usage.user_cpu_ms! + outcome.usage.system_cpu_ms!).toBeGreaterThan(0);
  expect(outcome.usage.max_rss_bytes).toBeGreaterThan(200_000_000);
  const small = await supervisor.run('true');
  expect(small.outcome.usage.max_rss_bytes).toBeUndefined();
});

test('the libc launcher waits for orphans also while it spawns without a pause', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
  const { pid } = supervisor.process;
  const script = 'for i in 1 2 3 4 5; do (setsid /bin/true & ); done; exit 0';
  const ids = Array.from({ length: 150 }, (_, n) =>
    n % 3 === 0 ? supervisor.sh(script) : supervisor.launch(['/bin/true']),
  );
  for (const id of ids) expect(await supervisor.outcome(id)).toMatchObject({ exit_code: 0 });
  await waitFor(() => childrenOf(pid).length === 0, { what: 'the end of all children' });
});

test('the libc launcher gives tasks the same limits when very many run', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
  const sleepers = Array.from({ length: 400 }, () => supervisor.launch(['/bin/sleep', '1000']));
  for (const id of sleepers) await supervisor.started(id);
  const limits = 'ulimit -S -n; ulimit -H -n';
  const crowded = await supervisor.run(limits);
  for (const id of sleepers) supervisor.send({ type: 'kill', launch_id: id });
  for (const id of sleepers) expect(await supervisor.outcome(id)).toMatchObject({ signal: 15 });
  const roomy = await supervisor.run(limits);
  expect(crowded.stdout.split('\n')[0]).toBe('1024');
  expect(crowded.stdout).toBe(roomy.stdout);
});
