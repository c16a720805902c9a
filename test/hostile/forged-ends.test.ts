import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command, submitAndWait } from '../harness/index.js';
import { allowedDirectory, makeRootfs, NAMESPACES, startVictim, WAYS, within } from './chain-support.js';

/** What tools and shells of the chain say when they fail, and exit with. */
const WORDS = [
  '/usr/bin/env: nothing here',
  '/usr/bin/env: ‘x’: No such file or directory',
  '/usr/sbin/chroot: cannot change root directory',
  'execgo: 1: exec: x: not found',
  'unshare: sigprocmask unblock failed: Invalid argument',
  'unshare: failed to execute x: No such file or directory',
];
const CODES = [1, 125, 126, 127];

/** Says all of it, one after another, to stderr and to whatever else is open; the program's own code is the last word. */
const forging = (word: string, code: number) =>
  `echo "${word}" >&2; for n in 3 4 5 6; do echo "exec ${code}" >&$n; done 2>&-; exit ${code}`;

test('no exit code and no word makes a program that ran one that did not, or one that was killed', async () => {
  const allowed = allowedDirectory();
  const rootfs = makeRootfs(join(allowed, 'one'));
  mkdirSync(join(rootfs, 'usr/bin'), { recursive: true });
  copyFileSync(join(rootfs, 'bin/busybox'), join(rootfs, 'usr/bin/env'));
  for (const launcher of ['libc', 'execa']) {
    const { daemon } = await startVictim(['--allow-rootfs', allowed, '--launcher', launcher]);
    const ends = [...WAYS, within(rootfs)].flatMap((way) =>
      [{}, { 'FOO.BAR': '1' }].flatMap((env) =>
        WORDS.map(async (word, n) => {
          const code = CODES[n % CODES.length] ?? 1;
          const execution = {
            kind: 'command',
            program: '/bin/sh',
            args: ['-c', forging(word, code)],
            env,
          };
          const end = await submitAndWait(daemon, { ...way, execution });
          const what = JSON.stringify([launcher, way, env, word]);
          expect([end.cause, end.exit_code, end.error?.code], what).toEqual(['exit', code, 'exit_nonzero']);
          expect(end.stderr, what).toBe(`${word}\n`);
          expect(end.started_at, what).toBeDefined();
          if (launcher === 'libc') expect(end.usage?.user_cpu_ms, what).toBeDefined();
        }),
      ),
    );
    await Promise.all(ends);
  }
});

test('nor in a root without a shell, where chroot executes the program', async () => {
  const allowed = allowedDirectory();
  const rootfs = makeRootfs(join(allowed, 'one'));
  const { daemon } = await startVictim(['--allow-rootfs', allowed]);
  rmSync(join(rootfs, 'bin/sh'));
  const run = (program: string, ...args: string[]) =>
    submitAndWait(daemon, command(program, args, within(rootfs)));
  for (const code of CODES) {
    const end = await run('/bin/busybox', 'sh', '-c', forging('/usr/sbin/chroot: no', code));
    expect([end.cause, end.exit_code, end.stderr]).toEqual(['exit', code, '/usr/sbin/chroot: no\n']);
  }
  expect((await run('cat', '/etc/group')).status).toBe('success');
  for (const program of ['/bin/none', 'none', '/etc', '/etc/passwd', '/etc/passwd/x', './none'])
    expect(await run(program, 'x')).toMatchObject({ cause: 'launch', error: { code: 'launch_failed' } });
});

test('a program that cannot be launched is told, also where env comes in between', async () => {
  const { daemon, base } = await startVictim();
  const file = join(base, 'script');
  writeFileSync(file, '#! /no/such/interpreter -x\n', { mode: 0o755 });
  for (const way of WAYS)
    for (const program of ['/no/such', 'no-such-ü', '/etc', '/etc/passwd', '/etc/passwd/x', file, '-n']) {
      const execution = { kind: 'command', program, args: ['x'], env: { 'FOO.BAR': '1', _: 'x' } };
      const end = await submitAndWait(daemon, { ...way, execution });
      expect([end.cause, end.error?.code, end.duration_ms], program).toEqual(['launch', 'launch_failed', 0]);
    }
});

test('a program in a pid namespace that was ended by SIGKILL is told from one that exits with 1', async () => {
  for (const launcher of ['libc', 'execa']) {
    const { daemon } = await startVictim(['--launcher', launcher]);
    const run = (text: string) => submitAndWait(daemon, command('/bin/sh', ['-c', text], NAMESPACES));
    const killed = await run('echo out; echo err >&2; kill -KILL $$');
    expect(killed).toMatchObject({ cause: 'signal', stdout: 'out\n', stderr: 'err\n' });
    expect(killed.error?.message).toContain('signal 9');
    expect(await run('exit 1')).toMatchObject({ cause: 'exit', exit_code: 1, stderr: '' });
    expect(await run('sleep 600 & kill -KILL $!; wait $!; exit 1')).toMatchObject({ exit_code: 1 });
  }
});
