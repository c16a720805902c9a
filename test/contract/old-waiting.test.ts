import { existsSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command, eventTypes, http, startDaemon, submit, waitFor, waitForEnd } from '../harness/index.js';
import { OldDataDir, shell, type OldRequest } from './old-rows.js';

const MIB = 1024 * 1024;

async function adopt(tasks: Record<string, OldRequest>, flags: string[] = []) {
  const old = new OldDataDir();
  for (const [id, request] of Object.entries(tasks)) old.add(id, request);
  return startDaemon({ dataDir: old.close(), flags: ['--max-running-tasks', '16', ...flags] });
}

test('waiting tasks of the older runtime run under each limit that they ask for, and reserve it', async () => {
  const daemon = await adopt({
    memory: {
      execution: { kind: 'command', program: 'python3', args: ['-c', `x = b"x" * ${400 * MIB}`], env: {} },
      limits: { memory_bytes: 64 * MIB },
    },
    cpu: { execution: shell('while :; do :; done'), limits: { cpu_time_sec: 1 } },
    pids: {
      execution: shell('for i in 1 2 3 4 5 6 7 8; do sleep 600 & done; exit 7'),
      limits: { pids_max: 4 },
    },
    wall: { execution: shell('sleep 600'), limits: { wall_time_ms: 300 } },
    sandbox: {
      execution: shell('readlink /proc/self/ns/pid'),
      sandbox: { profile: 'linux_sandbox' },
    },
  });
  const memory = await waitForEnd(daemon, 'memory');
  expect(memory.error?.code).toBe('memory_limit_exceeded');
  expect(memory.execution_plan?.resource_enforcement.memory_mechanism).toMatch(/^cgroup_v[12]$/);
  expect(memory.reservation).toEqual({ task_slots: 1, memory_bytes: 64 * MIB });
  const cpu = await waitForEnd(daemon, 'cpu');
  expect(cpu.error?.code).toBe('cpu_limit_exceeded');
  expect(cpu.execution_plan?.resource_enforcement.cpu_time_mechanism).toBe('rlimit');
  const pids = await waitForEnd(daemon, 'pids');
  expect([pids.status, pids.exit_code === 7, /fork/i.test(pids.stderr)]).toEqual(['failed', false, true]);
  expect(pids.reservation).toEqual({ task_slots: 1, pids: 4 });
  expect((await waitForEnd(daemon, 'wall')).error?.code).toBe('timeout');
  const sandbox = await waitForEnd(daemon, 'sandbox');
  expect(sandbox.stdout).toMatch(/^pid:/);
  expect(sandbox.stdout.trim()).not.toBe(readlinkSync('/proc/self/ns/pid'));
  expect(sandbox.execution_plan?.effective_sandbox.mechanism).toBe('unshare');
  expect(await eventTypes(daemon, 'memory')).toEqual([
    ...['submitted', 'accepted', 'planned', 'planned', 'resource_reserved', 'started'],
    ...['resource_released', 'failed'],
  ]);
  expect((await http(daemon.url).get('/api/v1/runtime/resources')).body.reserved.task_slots).toBe(0);
});

test('what they write is kept as that of new tasks is, and shown as far as they asked for', async () => {
  const execution = shell('seq 1 20000; seq 1 20000 >&2');
  const limits = { stdout_max_bytes: 10, stderr_max_bytes: 20 };
  const daemon = await adopt({ small: { execution, limits }, large: { execution, limits: {} } }, [
    '--output-keep-bytes',
    '100000',
  ]);
  for (const [id, shown, kept] of [
    ['small', 10, 100_000],
    ['large', 108_894, 108_894],
  ] as const) {
    const { stdout, stdout_bytes, stderr_bytes } = await waitForEnd(daemon, id);
    expect([stdout.length, stdout_bytes, stderr_bytes]).toEqual([shown, 108_894, 108_894]);
    for (const name of ['stdout.log', 'stderr.log'])
      expect(statSync(join(daemon.dataDir, 'tasks', id, name)).size, `${id} ${name}`).toBe(kept);
  }
});

test('they run as the task user, in workspaces of their own', async () => {
  const script = { kind: 'script', script: 'id -un; echo mine >file; cat file', env: {} };
  const daemon = await adopt(
    { command: { execution: shell('id -un; echo mine >file; cat file') }, script: { execution: script } },
    ['--task-user', 'nobody'],
  );
  for (const id of ['command', 'script']) {
    const end = await waitForEnd(daemon, id);
    expect(end).toMatchObject({ status: 'success', stdout: 'nobody\nmine\n' });
    expect(end.execution_plan?.effective_sandbox.user).toBe('nobody');
    expect(statSync(join(daemon.dataDir, 'tasks', id, 'workspace/file')).uid).toBe(65_534);
  }
});

test('strict is kept: what cannot be enforced fails, and adaptive says what it gave up', async () => {
  const limits = { pids_max: 50 };
  const daemon = await adopt(
    {
      strict: { limits, capability_mode: 'strict' },
      context: {
        limits,
        control_context: { requires_strict_sandbox: true, requires_resource_reservation: false },
      },
      adaptive: { limits },
      plain: { capability_mode: 'strict' },
    },
    ['--disable-cgroup'],
  );
  for (const id of ['strict', 'context']) {
    const end = await waitForEnd(daemon, id);
    expect(end).toMatchObject({
      status: 'failed',
      cause: 'sandbox',
      error: { code: 'unsupported_capability' },
    });
    expect(await eventTypes(daemon, id)).not.toContain('started');
  }
  const adaptive = await waitForEnd(daemon, 'adaptive');
  expect(adaptive).toMatchObject({
    status: 'success',
    execution_plan: {
      degraded: true,
      resource_enforcement: { pids_mechanism: 'none', pids_enforced: false },
    },
  });
  expect(await eventTypes(daemon, 'adaptive')).toContain('degraded');
  const plain = await waitForEnd(daemon, 'plain');
  expect([plain.status, plain.execution_plan?.capability_mode]).toEqual(['success', 'strict']);
});

test('what can never fit fails, and what does not fit now waits', async () => {
  const half = { execution: shell('sleep 0.3'), limits: { memory_bytes: 300 * MIB } };
  const daemon = await adopt({ huge: { limits: { memory_bytes: 600 * MIB } }, first: half, second: half }, [
    '--capacity-memory-bytes',
    String(512 * MIB),
  ]);
  expect(await waitForEnd(daemon, 'huge')).toMatchObject({
    status: 'failed',
    error: { code: 'insufficient_resources' },
  });
  await Promise.all([waitForEnd(daemon, 'first'), waitForEnd(daemon, 'second')]);
  const events = (await http(daemon.url).get('/api/v1/events?limit=1000')).body as {
    task_id: string;
    event_type: string;
  }[];
  const order = events
    .filter((e) => e.event_type.startsWith('resource_'))
    .map((e) => `${e.task_id} ${e.event_type}`);
  expect(order).toEqual([
    ...['first resource_reserved', 'first resource_released'],
    ...['second resource_reserved', 'second resource_released'],
  ]);
});

test('what our rules do not allow does not run at all', async () => {
  const broken: Record<string, OldRequest> = {
    'limits.memory_bytes': { limits: { memory_bytes: 0, pids_max: 5 } },
    'limits.cpu_time_sec': { limits: { cpu_time_sec: 2 ** 60 } },
    'limits: cannot be read': { row: { limits_json: '{"pids_max":' } },
    'sandbox.workspace_subdir': { sandbox: { profile: 'linux_sandbox', workspace_subdir: '../../..' } },
    'execution.args': { execution: { kind: 'command', program: 'touch', args: ['a\0b'], env: {} } },
    'control_context.tenant': { control_context: { tenant: ' ' } },
  };
  const ids = Object.keys(broken).map((_, i) => `broken-${i}`);
  const daemon = await adopt(
    Object.fromEntries(Object.values(broken).map((request, i) => [ids[i]!, request])),
  );
  for (const [i, field] of Object.keys(broken).entries()) {
    const end = await waitForEnd(daemon, ids[i]!);
    expect(end, field).toMatchObject({ status: 'failed', cause: 'launch', error: { code: 'invalid_input' } });
    expect(end.error?.message).toContain(field);
    expect(await eventTypes(daemon, ids[i]!), field).not.toContain('started');
  }
});

test('ids that can be no directory get no files, and nothing outside of theirs is touched', async () => {
  const ids = ['..', '.', 'a/b', '../../escape', 'nul\0byte', 'x'.repeat(256), '', '/abs'];
  const old = new OldDataDir();
  for (const id of ids) old.add(id, {}, false);
  const daemon = await startDaemon({ dataDir: old.close() });
  const { get } = http(daemon.url);
  await waitFor(async () => (await get('/api/v1/tasks?status=accepted,running')).body.tasks.length === 0, {
    what: 'the end of all',
  });
  const { tasks } = (await get('/api/v1/tasks')).body;
  expect(tasks.map((t: { task_id: string }) => t.task_id).sort()).toEqual([...ids].sort());
  for (const task of tasks)
    expect(task).toMatchObject({ status: 'failed', error: { code: 'invalid_input' } });
  expect((await get(`/api/v1/tasks/${encodeURIComponent('a/b')}`)).body.task_id).toBe('a/b');
  expect((await get('/api/v1/tasks/nul%00byte')).body.task_id).toBe('nul\0byte');
  const collected = await http(daemon.url).post('/api/v1/gc', { older_than_ms: 0 });
  expect(collected.body).toMatchObject({ removed: ids.length, problems: [] });
  expect(readdirSync(join(daemon.dataDir, 'tasks'))).toEqual([]);
  expect(existsSync(join(daemon.dataDir, 'result.json'))).toBe(false);
});

test('a waiting task is planned by the start that runs it', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const busy = await submit(daemon, command('sleep', ['600']));
  const limits = { pids_max: 50, memory_bytes: 200 * MIB };
  const adaptive = await submit(daemon, command('true', [], { limits }));
  const strict = await submit(daemon, command('true', [], { limits, policy: { capability_mode: 'strict' } }));
  const same = await submit(daemon, command('true'));
  await daemon.restart({ flags: ['--max-running-tasks', '1', '--disable-cgroup'] });
  expect(await waitForEnd(daemon, strict)).toMatchObject({
    status: 'failed',
    error: { code: 'unsupported_capability' },
  });
  await http(daemon.url).post(`/api/v1/tasks/${busy}/kill?grace_ms=0`);
  const end = await waitForEnd(daemon, adaptive);
  expect(end).toMatchObject({
    status: 'success',
    execution_plan: {
      degraded: true,
      resource_enforcement: { memory_mechanism: 'rlimit', pids_mechanism: 'none', cgroup_enforced: false },
    },
  });
  await waitForEnd(daemon, same);
  expect((await eventTypes(daemon, same)).filter((type) => type === 'planned')).toHaveLength(1);
});

test('one whose attempt is already written down keeps that attempt and its plan, and does not run without its limits', async () => {
  const crash = { EXECGO_DAEMON_CRASH_AT: 'after_submit_commit' };
  const daemon = await startDaemon();
  // A supervisor that runs something waits for the next daemon, however long that takes to come.
  await submit(daemon, command('sleep', ['600']));
  await daemon.restart({ env: crash });
  const limits = { pids_max: 50 };
  await submit(daemon, command('true', [], { task_id: 'adaptive', limits })).catch(() => undefined);
  await daemon.exited();
  await daemon.restart({ env: {}, flags: ['--disable-cgroup'] });
  const end = await waitForEnd(daemon, 'adaptive');
  expect(end).toMatchObject({
    status: 'failed',
    cause: 'sandbox',
    error: { code: 'sandbox_setup_failed' },
    execution_plan: { degraded: false, resource_enforcement: { cgroup_enforced: true } },
  });
  expect(await eventTypes(daemon, 'adaptive')).toEqual([
    ...['submitted', 'accepted', 'planned', 'resource_reserved', 'resource_released', 'failed'],
  ]);
});
