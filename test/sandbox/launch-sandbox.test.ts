import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createCgroup, readCgroupUsage, removeCgroup } from '../../src/sandbox/cgroup.js';
import { sandboxLaunch } from '../../src/sandbox/launch-sandbox.js';
import { resolvePlan, type PlanDefaults } from '../../src/sandbox/plan.js';
import { findTool } from '../../src/sandbox/tools.js';
import type { ProbedHost } from '../../src/sandbox/capabilities.js';
import type { TaskSubmission } from '../../src/task/request.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor } from '../harness/wait.js';
import { probeHost, request } from './hosts.js';
import { runChain, type ChainRun } from './run-chain.js';

const ENV = { PATH: process.env['PATH'] ?? '', HOME: '/root', USER: 'root' };

function prepare(
  host: ProbedHost,
  parts: Partial<TaskSubmission>,
  defaults: Partial<PlanDefaults> = {},
  workspace = '/',
) {
  const task = request(parts);
  const { plan } = resolvePlan(task, host.capabilities, {
    capabilityMode: 'strict',
    wallTimeMs: 0,
    ...defaults,
  });
  const env = { ...ENV, ...task.execution.env };
  return sandboxLaunch(plan, task, host.capabilities, host.layout, { name: 'launch-1', workspace, env });
}

/** Carries a launch out as the supervisor does, and removes its cgroup. */
async function carryOut(
  launch: ReturnType<typeof prepare>,
  argv: string[],
): Promise<ChainRun & { oom: boolean }> {
  const { cgroup, chain = { wrappers: [] }, env } = launch;
  if (cgroup !== undefined) createCgroup(cgroup);
  const run = await runChain(argv, { cgroup, chain, env, cwd: '/' });
  const oom = cgroup !== undefined && readCgroupUsage(cgroup).oom;
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
  expect(launch.chain?.cpu_sec).toBe(100);
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
    expect(launch.env).not.toHaveProperty('LD_PRELOAD');
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
      sandboxLaunch(plan, task, capabilities, layout, { name: 'n', workspace: '/', env: ENV });
    expect(launch).toThrow(
      expect.objectContaining({ code: 'sandbox_setup_failed', message: 'user nobody-here does not exist' }),
    );
  });
});

describe('chroot', () => {
  /** A root with busybox in it, inside a workspace. */
  function workspace(): string {
    const busybox = findTool('busybox');
    if (busybox === undefined) throw new Error('this test needs busybox (package busybox-static)');
    const dir = tempDir();
    mkdirSync(join(dir, 'root/bin'), { recursive: true });
    copyFileSync(busybox, join(dir, 'root/bin/busybox'));
    for (const part of ['', 'root', 'root/bin', 'root/bin/busybox']) chmodSync(join(dir, part), 0o755);
    return dir;
  }
  const sandbox = { profile: 'linux_sandbox', chroot: true, rootfs: 'root' } as const;

  test('goes together with namespaces, limits and another user', async () => {
    const parts = { sandbox, limits: { memory_bytes: 2 ** 28, cpu_time_sec: 50 } };
    const launch = prepare(await probeHost(), parts, { taskUser: '65534' }, workspace());
    const run = await carryOut(launch, [
      '/bin/busybox',
      'sh',
      '-c',
      'busybox ls /; busybox pwd; busybox id -u; exit 4',
    ]);
    expect(run).toMatchObject({ code: 4, report: { ran: true } });
    expect(run.stdout).toBe('bin\n/\n65534\n');
  });

  test('a program that it does not hold cannot be launched', async () => {
    const run = await carryOut(prepare(await probeHost(), { sandbox }, {}, workspace()), ['/bin/cat']);
    expect(run.report).toMatchObject({ ran: false, stage: 'launch' });
  });

  test('loader variables cannot be kept from the chain there, and are refused', async () => {
    const host = await probeHost();
    const execution = { kind: 'command', program: 'x', env: { LD_PRELOAD: '/x' } } as const;
    expect(() => prepare(host, { sandbox, execution }, { taskUser: '65534' })).toThrow(
      /^LD_PRELOAD cannot be set/,
    );
  });
});
