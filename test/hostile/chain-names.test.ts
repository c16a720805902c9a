import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command, submit, submitAndWait, waitForEnd } from '../harness/index.js';
import { kill } from '../limits/support.js';
import { allowedDirectory, makeRootfs, startVictim, USER, WAYS, within } from './chain-support.js';

/** What loaders, C libraries, shells and tools act on, and names that are read as options, texts or ends of lines. */
const VARIABLES: Record<string, string> = {
  ...{ LC_ALL: '../../evil', LANGUAGE: '/evil', LC_MESSAGES: 'de_DE.UTF-8', NLSPATH: '/evil/%N' },
  ...{ LD_LIBRARY_PATH: '/evil', LD_AUDIT: '', GCONV_PATH: '/evil', GLIBC_TUNABLES: 'x', MALLOC_CHECK_: '3' },
  ...{ BASH_ENV: '/evil', ENV: '/evil', IFS: 'x/', PS4: '$(id >&2)', SHELLOPTS: 'xtrace', CDPATH: '/evil' },
  ...{ PATH: '/usr/local/bin:/usr/bin:/bin:/evil', HOME: '-', TMPDIR: '/evil', POSIXLY_CORRECT: '1', n: '1' },
  ...{
    'BASH_FUNC_exec%%': '() { :; }',
    _: 'x',
    UID: '0',
    PWD: '/evil',
    OLDPWD: '-',
    SHLVL: '7',
    OPTIND: '9',
  },
  ...{ EXECGO_ENV_0: 'PATH=/evil', EXECGO_ENV_n: '99', EXECGO_ENV_: '', EXECGO_SCRIPT: '$(id)' },
  ...{ '-': 'a', '--': 'b', '-i': 'c', '--help': 'd', '-u PATH': 'e', '$(id)': 'f', '`id`': 'g', '*': 'h' },
  ...{ 'a\nb': 'i\nj', '\nz': 'k', '\\': '\\', "'": "'", '"': '"', '%n': '%n', ' a': ' b ', 'ü.é': '\u202e' },
  ...{ [`L${'o'.repeat(60_000)}ng`]: 'x', LONG: 'y'.repeat(100_000), EMPTY: '', A: '=a=b=' },
};

test('variables with hostile names and values reach the task as they are, whatever they mean to others', async () => {
  const { daemon } = await startVictim();
  const text = 'import json, os\nprint(json.dumps(dict(os.environ)))';
  for (const way of WAYS) {
    const env = VARIABLES;
    const execution = { kind: 'command', program: '/usr/bin/python3', args: ['-Ic', text], env };
    const end = await submitAndWait(daemon, { ...way, execution });
    expect(end.stderr).toBe('');
    const got = JSON.parse(end.stdout) as Record<string, string>;
    expect(Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, got[name]]))).toEqual(VARIABLES);
  }
});

test('arguments and programs are what they are, whatever they look like', async () => {
  const { daemon } = await startVictim();
  const args = ['-n', '--', '-c', '$(id)', 'a\nb', '', '=', 'A=B', '*', '\\', '%n', 'x'.repeat(100_000)];
  const text = 'import json, sys\nprint(json.dumps(sys.argv[1:]))';
  for (const way of WAYS) {
    const end = await submitAndWait(daemon, command('python3', ['-c', text, ...args], way));
    expect(JSON.parse(end.stdout)).toEqual(args);
    for (const program of ['-c', '--', '$(id)', 'A=B', 'a\nb', '../../etc/passwd', '/proc/self/fd/3']) {
      const failed = await submitAndWait(daemon, command(program, ['x'], way));
      expect([failed.cause, failed.stdout, failed.started_at], program).toEqual(['launch', '', undefined]);
    }
  }
});

test('a program has the descriptors 0, 1 and 2, under whatever it asks for', async () => {
  const allowed = allowedDirectory();
  const rootfs = makeRootfs(join(allowed, 'one'));
  mkdirSync(join(rootfs, 'usr/bin'), { recursive: true });
  copyFileSync(join(rootfs, 'bin/busybox'), join(rootfs, 'usr/bin/env'));
  const look =
    'n=3; while [ $n -lt 256 ]; do [ ! -e /proc/self/fd/$n ] || echo $n; n=$((n + 1)); done; echo end';
  const env = { 'odd.name': 'x' };
  const combinations = [
    ...WAYS,
    ...['memory_bytes', 'pids_max', 'cpu_time_sec', 'cpu_millis'].map((limit) => ({
      limits: { [limit]: limit === 'memory_bytes' ? 1 << 29 : 100 },
    })),
    { sandbox: { workspace_subdir: 'a/b' } },
    { sandbox: { profile: 'linux_sandbox', namespaces: { pid: false, mount: true } } },
    within(rootfs),
    { ...within(rootfs), limits: { memory_bytes: 1 << 29, cpu_time_sec: 100 } },
  ];
  for (const launcher of ['libc', 'execa']) {
    const { daemon } = await startVictim(['--allow-rootfs', allowed, '--launcher', launcher]);
    const ids = combinations.flatMap((more) =>
      [{}, env].map((variables) =>
        submit(daemon, {
          ...more,
          execution: { kind: 'command', program: '/bin/sh', args: ['-c', look], env: variables },
        }),
      ),
    );
    for (const id of await Promise.all(ids))
      expect(await waitForEnd(daemon, id)).toMatchObject({ stdout: 'end\n', stderr: '' });
  }
});

test('a root file system that others may write to by the time it is used is not used', async () => {
  const allowed = allowedDirectory();
  const { daemon } = await startVictim(['--allow-rootfs', allowed, '--max-running-tasks', '1']);
  const change: Record<string, (rootfs: string) => void> = {
    'group-writable': (rootfs) => chmodSync(rootfs, 0o775),
    'world-writable': (rootfs) => chmodSync(rootfs, 0o757),
    sticky: (rootfs) => chmodSync(rootfs, 0o1777),
    'below one that is': (rootfs) => chmodSync(join(rootfs, '..'), 0o777),
  };
  const holder = await submit(daemon, command('sleep', ['600']));
  const ids = await Promise.all(
    Object.entries(change).map(async ([name, spoil]) => {
      mkdirSync(join(allowed, name), { mode: 0o755 });
      const rootfs = makeRootfs(join(allowed, name, 'root'));
      const id = await submit(daemon, command('/bin/id', ['-u'], within(rootfs)));
      spoil(rootfs);
      return id;
    }),
  );
  const sound = await submit(daemon, command('/bin/id', ['-u'], within(makeRootfs(join(allowed, 'sound')))));
  await daemon.restart();
  await kill(daemon, holder, 'grace_ms=0');
  for (const id of ids) {
    const end = await waitForEnd(daemon, id);
    expect(end).toMatchObject({ status: 'failed', cause: 'sandbox', stdout: '' });
    expect(end.error?.message).toContain('can be written to by others');
  }
  expect((await waitForEnd(daemon, sound)).stdout).toBe(`${USER}\n`);
});
