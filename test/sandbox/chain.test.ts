import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { probeChain } from '../../src/sandbox/chain/probe-chain.js';
import { findTool, requireTool } from '../../src/sandbox/process/tools.js';
import { tempDir } from '../harness/temp-dir.js';
import { runChain, startChain } from './run-chain.js';
import { rlimits } from './rlimits.js';

/** Every shell that may stand behind /bin/sh here. */
const SHELLS = [['/bin/sh'], ['dash'], ['bash'], ['bash', '--posix'], ['busybox', 'sh']]
  .map(([name = '', ...args]) => [findTool(name.split('/').at(-1) ?? ''), ...args])
  .filter((shell): shell is string[] => shell[0] !== undefined);

const PRINT_ARGUMENTS = [
  process.execPath,
  '-e',
  'process.stdout.write(JSON.stringify(process.argv.slice(1)))',
  '--',
];

test('the shell of this host serves', () => {
  expect(probeChain()).toEqual({ reasons: {} });
});

describe.each(SHELLS.map((shell) => ({ shell })))('with $shell', ({ shell }) => {
  test('a program runs with its own exit code, and descriptor 3 is closed while it does', async () => {
    const chain = startChain(['/bin/sh', '-c', 'read line; ls /proc/self/fd; exit 7'], { shell });
    expect(await chain.reported).toBe('ok\n');
    const { code, stdout, report } = await chain.ended;
    expect({ code, report }).toEqual({ code: 7, report: { ran: true } });
    // ls itself has the directory open at 3; a pipe that leaked would make it 4.
    expect(stdout.split('\n').filter(Boolean)).not.toContain('4');
  });

  test('a program may exit with 126 and 127', async () => {
    for (const code of [125, 126, 127]) {
      const run = await runChain(['/bin/sh', '-c', `echo "exec: not found" >&2; exit ${code}`], { shell });
      expect(run).toMatchObject({ code, report: { ran: true } });
    }
  });

  test('an end by signal arrives as it is', async () => {
    expect(await runChain(['/bin/sh', '-c', 'kill -KILL $$'], { shell })).toMatchObject({
      signal: 'SIGKILL',
      report: { ran: true },
    });
  });

  test.each(['/no/such/program', 'execgo-no-such-program', '/etc', '/etc/passwd', '/etc/passwd/x'])(
    '%s cannot be launched',
    async (program) => {
      const { report } = await runChain([program, 'argument'], { shell });
      expect(report).toMatchObject({ ran: false, stage: 'launch' });
    },
  );

  test('a cgroup that is not there is told', async () => {
    const cgroup = { track: { path: '/proc/no-such-cgroup', settings: [] }, kill_file: false, limits: [] };
    const { report, stdout } = await runChain(['echo', 'ran'], { shell, cgroup });
    expect(report).toMatchObject({ ran: false, stage: 'sandbox' });
    expect(report.ran ? '' : report.message).toContain('/proc/no-such-cgroup/cgroup.procs');
    expect(stdout).toBe('');
  });

  test('limits are set, the soft one of CPU time below the hard one', async () => {
    const chain = { rlimits: rlimits({ cpu_time_sec: 100, memory_bytes: 2 ** 31, pids_max: 5000 }) };
    const { stdout } = await runChain(['cat', '/proc/self/limits'], { shell, chain });
    expect(stdout).toMatch(/Max cpu time +100 +101 /);
    expect(stdout).toMatch(/Max address space +2147483648 +2147483648 /);
    expect(stdout).toMatch(/Max processes +5000 +5000 /);
  });

  test('the biggest limits that a request may name are set too', async () => {
    const most = Number.MAX_SAFE_INTEGER;
    const chain = { rlimits: rlimits({ cpu_time_sec: most, memory_bytes: most, pids_max: most }) };
    expect(await runChain(['true'], { shell, chain })).toMatchObject({ code: 0, report: { ran: true } });
  });

  test('where the hard limit is lower than what is asked for, that is what there is', async () => {
    const chain = { rlimits: rlimits({ nofile: 3000 }) };
    const low = [
      '/bin/sh',
      '-c',
      'ulimit -S -n 100; ulimit -H -n 2000; exec setpriv --reuid 65534 --clear-groups "$@"',
      'sh',
    ];
    const { stdout } = await runChain(['cat', '/proc/self/limits'], {
      shell,
      chain: { ...chain, wrappers: [low] },
    });
    expect(stdout).toMatch(/Max open files +2000 +2000 /);
  });

  test('a limit that cannot be set is told', async () => {
    const { report } = await runChain(['true'], {
      shell,
      chain: { rlimits: rlimits({ cpu_time_sec: NaN }) },
    });
    expect(report).toMatchObject({
      ran: false,
      stage: 'sandbox',
      message: expect.stringContaining('CPU time limit'),
    });
  });

  test('a wrapper that is missing or fails is told', async () => {
    const missing = await runChain(['true'], {
      chain: { wrappers: [[...shell, '-c', 'exec "$@"', 'sh', '/no/such/wrapper']] },
    });
    expect(missing.report).toMatchObject({ ran: false, stage: 'sandbox' });
  });

  test('an executable file without #! runs under a shell', async () => {
    const file = join(tempDir(), 'plain');
    writeFileSync(file, 'echo "plain $1"\n');
    chmodSync(file, 0o700);
    expect(await runChain([file, 'a b'], { shell })).toMatchObject({ code: 0, stdout: 'plain a b\n' });
  });
});

test('a program that exceeds its CPU time ends by SIGXCPU', async () => {
  const run = await runChain(['/bin/sh', '-c', 'while :; do :; done'], {
    chain: { rlimits: rlimits({ cpu_time_sec: 1 }) },
  });
  expect(run).toMatchObject({ signal: 'SIGXCPU', report: { ran: true } });
});

test('a program that ignores SIGXCPU is killed a second later', async () => {
  const run = await runChain(['/bin/sh', '-c', 'trap "" XCPU; while :; do :; done'], {
    chain: { rlimits: rlimits({ cpu_time_sec: 1 }) },
  });
  expect(run).toMatchObject({ signal: 'SIGKILL', report: { ran: true } });
});

test('a program that exceeds its address space is refused memory', async () => {
  const chain = { rlimits: rlimits({ memory_bytes: 64 * 2 ** 20 }) };
  const run = await runChain(
    ['/bin/sh', '-c', 'x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo "${#x}"'],
    { chain },
  );
  expect(run.stdout.trim()).not.toBe('200000000');
  expect(run.report).toEqual({ ran: true });
});

test('any arguments arrive unchanged, through one stage and through many', async () => {
  const tricky = fc.constantFrom(
    '',
    '-c',
    '--',
    '-',
    '$(reboot)',
    '`id`',
    "'",
    '"',
    '\n',
    ' a  b ',
    '\\',
    '*',
    '~',
    '$1',
    'é\u{1f600}',
  );
  const argument = fc.oneof(
    tricky,
    fc.string({ unit: 'grapheme' }).filter((s) => !s.includes('\0')),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(argument, { maxLength: 6 }), fc.boolean(), async (args, wrapped) => {
      const wrappers = wrapped
        ? [
            [findTool('env') ?? '', 'A=$(id)'],
            ['/bin/sh', '-c', 'exec "$@"', 'sh'],
          ]
        : [];
      const { stdout, report } = await runChain([...PRINT_ARGUMENTS, ...args], { chain: { wrappers } });
      expect(report).toEqual({ ran: true });
      expect(JSON.parse(stdout)).toEqual(args);
    }),
    { numRuns: 15 },
  );
});

test('variables with which shells are made to do more change nothing', async () => {
  const dir = tempDir();
  const evil = join(dir, 'evil');
  writeFileSync(evil, `echo evil >&2; touch ${join(dir, 'ran')}`);
  const env = {
    PATH: process.env['PATH'] ?? '',
    ENV: evil,
    BASH_ENV: evil,
    BASH_VERSION: 'no',
    IFS: 'o',
    'BASH_FUNC_shift%%': '() { echo evil >&2; }',
  };
  const run = await runChain(['echo', 'so'], { env });
  expect(run).toMatchObject({ code: 0, stdout: 'so\n', stderr: '', report: { ran: true } });
  expect(existsSync(join(dir, 'ran'))).toBe(false);
});

test('arguments longer than the system allows cannot be launched', async () => {
  // 128 KiB is the most for one argument; the shell itself takes less than what it is to pass on together with the rest.
  const { report } = await runChain(['/no/such', 'x'.repeat(131_000)]);
  expect(report).toMatchObject({ ran: false, stage: 'launch' });
});

describe('chroot', () => {
  const busybox = findTool('busybox');

  function rootfs(): string {
    if (busybox === undefined) throw new Error('this test needs busybox (package busybox-static)');
    const root = tempDir();
    chmodSync(root, 0o755);
    mkdirSync(join(root, 'bin'));
    return root;
  }

  /** @param shell false where the program is run by chroot(1) itself. */
  function chroot(root: string, shell: boolean | undefined, options: string[] = []) {
    return { chroot: [requireTool('chroot'), ...options, '--', root], shell };
  }

  test('the program sees its new root', async () => {
    const root = rootfs();
    await runChain(['cp', busybox ?? '', join(root, 'bin/busybox')]);
    const run = await runChain(['/bin/busybox', 'ls', '/'], { chain: chroot(root, false) });
    expect(run).toMatchObject({ code: 0, stdout: 'bin\n', report: { ran: true } });
    const failing = await runChain(['/bin/busybox', 'sh', '-c', 'echo "chroot: no" >&2; exit 127'], {
      chain: chroot(root, false),
    });
    expect(failing).toMatchObject({ code: 127, report: { ran: true } });
    const user = await runChain(['/bin/busybox', 'id'], {
      chain: chroot(root, false, ['--userspec=+65534:+65533', '--groups=']),
    });
    expect(user.stdout).toBe('uid=65534 gid=65533\n');
  });

  test('a program that is not in there cannot be launched', async () => {
    const { report } = await runChain(['/bin/true'], { chain: chroot(rootfs(), false) });
    expect(report).toMatchObject({
      ran: false,
      stage: 'launch',
      message: expect.stringContaining('/bin/true'),
    });
  });

  test.each(['/no/such/root', '/etc/passwd'])('%s is no root', async (path) => {
    for (const shell of [undefined, false]) {
      const { report } = await runChain(['true'], { chain: chroot(path, shell) });
      expect(report).toMatchObject({ ran: false, stage: 'sandbox', message: expect.stringContaining(path) });
    }
  });
});
