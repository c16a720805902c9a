import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createCgroup, readCgroupUsage, removeCgroup } from '../../src/sandbox/cgroup/cgroup.js';
import { sandboxLaunch } from '../../src/sandbox/chain/launch-sandbox.js';
import { resolvePlan, type PlanDefaults } from '../../src/sandbox/plan.js';
import { requireTool } from '../../src/sandbox/process/tools.js';
import type { ProbedHost } from '../../src/sandbox/capabilities.js';
import type { TaskSubmission } from '../../src/task/request.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor } from '../harness/wait.js';
import { probeHost, request } from './hosts.js';
import { runChain, type ChainRun } from './run-chain.js';
import { rlimits } from './rlimits.js';

const ENV = { PATH: process.env['PATH'] ?? '', HOME: '/root', USER: 'root' };

function prepare(
  host: ProbedHost,
  parts: Partial<TaskSubmission>,
  defaults: Partial<PlanDefaults> = {},
  allowRootfs: readonly string[] = [],
) {
  const task = request(parts);
  const { plan } = resolvePlan(task, host.capabilities, {
    capabilityMode: 'strict',
    wallTimeMs: 0,
    allowRootfs,
    ...defaults,
  });
  const env = { ...ENV, ...task.execution.env };
  return sandboxLaunch(plan, task, host.capabilities, host.layout, { name: 'launch-1', allowRootfs, env });
}

/** Carries a launch out as the supervisor does, and removes its cgroup. */
async function carryOut(
  launch: ReturnType<typeof prepare>,
  argv: string[],
): Promise<ChainRun & { oom: boolean }> {
  const { cgroup, chain = { wrappers: [] }, env } = launch;
  if (cgroup !== undefined) createCgroup(cgroup);
  const run = await runChain(argv, { cgroup, chain, env, cwd: '/' });
  const oom = cgroup !== undefined && (readCgroupUsage(cgroup).oom_kills ?? 0) > 0;
  if (cgroup !== undefined) await waitFor(() => removeCgroup(cgroup), { what: 'an empty cgroup' });
  return { ...run, oom };
}

test('a task without anything special has a tracking cgroup and no chain', async () => {
  const launch = prepare(await probeHost(), {});
  expect(launch.chain).toBeUndefined();
  expect(launch.cgroup).toMatchObject({ track: { settings: [] }, limits: [] });
  expect(launch.env).toEqual(ENV);
});

test('without cgroups and limits there is nothing at all', async () => {
  const host = await probeHost({ disableCgroup: true });
  expect(prepare(host, {})).toEqual({ env: ENV });
});

test('a limit in a cgroup needs the chain, which joins before the program begins', async () => {
  const host = await probeHost();
  const launch = prepare(host, { limits: { memory_bytes: 32 * 2 ** 20, pids_max: 50, cpu_time_sec: 100 } });
  expect(launch.chain?.rlimits).toEqual(rlimits({ cpu_time_sec: 100 }));
  const run = await carryOut(launch, [process.execPath, '-e', 'Buffer.alloc(200e6, 1)']);
  expect(run).toMatchObject({ signal: 'SIGKILL', oom: true });
});

test('everything at once works', async () => {
  const host = await probeHost();
  const launch = prepare(
    host,
    {
      limits: { memory_bytes: 2 ** 28, pids_max: 2, cpu_time_sec: 100, cpu_millis: 2000 },
      sandbox: { profile: 'linux_sandbox', namespaces: { net: true } },
    },
    { taskUser: '65534' },
  );
  const script = 'id -u; id -G; echo $HOME; grep NoNewPrivs /proc/self/status; exit 9';
  const run = await carryOut(launch, ['/bin/sh', '-c', script]);
  expect(run).toMatchObject({ code: 9, stderr: '', report: { ran: true } });
  expect(run.stdout).toBe('65534\n65534\n/nonexistent\nNoNewPrivs:\t1\n');
});

describe('as another user', () => {
  test('a request’s variables do not act before the privileges are gone, and reach the program', async () => {
    const dir = tempDir();
    const evil = join(dir, 'evil');
    writeFileSync(evil, 'not a library');
    const env = { LD_PRELOAD: evil, GCONV_PATH: 'a b', USER: 'me' };
    const launch = prepare(
      await probeHost(),
      { execution: { kind: 'command', program: 'x', env } },
      { taskUser: '65534' },
    );
    const run = await carryOut(launch, ['/bin/sh', '-c', 'echo $LD_PRELOAD-$GCONV_PATH-$USER']);
    expect(run.stdout).toBe(`${evil}-a b-me\n`);
  });

  test('an unknown user is a failed sandbox', async () => {
    const { capabilities, layout } = await probeHost();
    const task = request();
    const { plan } = resolvePlan(task, capabilities, {
      capabilityMode: 'strict',
      wallTimeMs: 0,
      taskUser: 'nobody-here',
    });
    const launch = () =>
      sandboxLaunch(plan, task, capabilities, layout, { name: 'n', allowRootfs: [], env: ENV });
    expect(launch).toThrow(
      expect.objectContaining({ code: 'sandbox_setup_failed', message: 'user nobody-here does not exist' }),
    );
  });
});

describe('chroot', () => {
  const busybox = requireTool('busybox');

  /** A root file system with busybox, and /bin/sh where `shell` says so. */
  function rootfs(shell: boolean): string {
    const root = join(tempDir(), 'root');
    const files = ['bin/busybox', ...(shell ? ['bin/sh', 'usr/bin/env'] : [])];
    for (const file of files) {
      mkdirSync(dirname(join(root, file)), { recursive: true, mode: 0o755 });
      copyFileSync(busybox, join(root, file));
    }
    return root;
  }
  const LOOK = 'busybox ls /; busybox pwd; busybox id -u; busybox id -G; echo "$MINE $USER"; exit 4';
  const execution = {
    kind: 'command',
    program: 'x',
    env: { MINE: 'a b', LD_PRELOAD: '/x', 'A.B': 'c' },
  } as const;
  const inside = (root: string) => ({ profile: 'linux_sandbox', chroot: true, rootfs: root }) as const;

  test.each([true, false])(
    'goes together with namespaces, limits and another user: shell %s',
    async (shell) => {
      const root = rootfs(shell);
      const limits = { memory_bytes: 2 ** 28, cpu_time_sec: 50 };
      const parts = { sandbox: inside(root), limits, ...(shell ? { execution } : {}) };
      const launch = prepare(await probeHost(), parts, { taskUser: '65534' }, [root]);
      const run = await carryOut(launch, ['/bin/busybox', 'sh', '-c', LOOK]);
      expect(run).toMatchObject({ code: 4, report: { ran: true } });
      const home = shell ? 'bin\nusr\n' : 'bin\n';
      expect(run.stdout).toBe(`${home}/\n65534\n65534\n${shell ? 'a b' : ''} nobody\n`);
    },
  );

  test('every variable arrives in there, whatever its name', async () => {
    const root = rootfs(true);
    for (const taskUser of [undefined, '65534']) {
      const parts = { sandbox: inside(root), execution };
      const launch = prepare(await probeHost(), parts, { taskUser }, [root]);
      const { stdout } = await carryOut(launch, ['/usr/bin/env']);
      for (const line of ['MINE=a b', 'LD_PRELOAD=/x', 'A.B=c']) expect(stdout.split('\n')).toContain(line);
    }
  });

  test.each([true, false])('a program that it does not hold cannot be launched: shell %s', async (shell) => {
    const root = rootfs(shell);
    const run = await carryOut(prepare(await probeHost(), { sandbox: inside(root) }, {}, [root]), [
      '/bin/cat',
    ]);
    expect(run.report).toMatchObject({ ran: false, stage: 'launch' });
  });

  test('without a shell in there, what only one could do is refused and not dropped', async () => {
    const root = rootfs(false);
    const host = await probeHost();
    const user = { taskUser: '65534' };
    expect(() => prepare(host, { sandbox: inside(root), execution }, user, [root])).toThrow(
      /has no \/bin\/sh, which would set MINE, LD_PRELOAD, A\.B as user nobody/,
    );
    const elsewhere = { kind: 'command', program: 'x', cwd: '/bin' } as const;
    expect(() => prepare(host, { sandbox: inside(root), execution: elsewhere }, {}, [root])).toThrow(
      /has no \/bin\/sh, which would enter \/bin/,
    );
  });
});
