import os from 'node:os';
import { expect, test } from 'vitest';
import { command, http, startDaemon, submit, submitAndWait, waitForEnd } from '../harness/index.js';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

test('info, capabilities and config have the contract’s shapes', async () => {
  const daemon = await startDaemon({
    flags: [
      '--runtime-id',
      'my runtime',
      '--capacity-memory-bytes',
      '1000000',
      '--capacity-pids',
      '500',
      '--disable-linux-sandbox',
    ],
  });
  const api = http(daemon.url);
  const platform = {
    os: 'linux',
    arch: expect.any(String),
    containerized: expect.any(Boolean),
    kubernetes: false,
  };
  expect((await api.get('/api/v1/runtime/info')).body).toEqual({
    runtime_id: 'my runtime',
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    started_at: TIME,
    snapshot_version: 'v1',
    platform,
  });
  const capabilities = (await api.get('/api/v1/runtime/capabilities')).body;
  expect(capabilities).toMatchObject({
    runtime_id: 'my runtime',
    snapshot_version: 'v1',
    collected_at: TIME,
    platform,
    execution: { command: true, script: true, process_group: true },
    sandbox: {
      process: true,
      linux_sandbox: false,
      chroot: false,
      namespaces: { mount: false, pid: false, uts: false, ipc: false, net: false },
    },
    storage: { data_dir_writable: true },
    resources: {
      rlimit_cpu: expect.any(Boolean),
      rlimit_memory: expect.any(Boolean),
      cgroup_v2: expect.any(Boolean),
      cgroup_writable: expect.any(Boolean),
      memory_limit: expect.any(Boolean),
      pids_limit: expect.any(Boolean),
      oom_detection: expect.any(Boolean),
      cpu_quota: expect.any(Boolean),
      ledger: true,
      capacity: { task_slots: 4, memory_bytes: 1_000_000, pids: 500 },
    },
    degraded: true,
    overrides: { linux_sandbox: 'disabled', capacity_memory_bytes: '1000000', capacity_pids: '500' },
  });
  expect(capabilities.stable_semantics).toEqual(
    expect.arrayContaining(['submit', 'status', 'events', 'stdout_stderr', 'timeout', 'kill', 'artifacts']),
  );
  expect(capabilities.enhanced_semantics).toContain('resource_ledger');
  expect((await api.get('/api/v1/runtime/config')).body).toMatchObject({
    runtime_id: 'my runtime',
    listen_addr: new URL(daemon.url).host,
    data_dir: daemon.dataDir,
    max_running_tasks: 4,
    max_queued_tasks: 100_000,
    max_queued_per_tenant: 0,
    termination_grace_ms: 5000,
    default_wall_time_ms: 300_000,
    output_keep_bytes: 67_108_864,
    result_retention_secs: 604_800,
    idempotency_retention_secs: 2_592_000,
    gc_interval_ms: 1000,
    dispatch_poll_interval_ms: 250,
    cgroup_root: expect.stringContaining('/sys/fs/cgroup/'),
    default_capability_mode: 'adaptive',
    cgroup_enabled: true,
  });
});

test('the runtime id is host and address by default, or from the environment', async () => {
  const start = async (env: Record<string, string | undefined>) => {
    const { url } = await startDaemon({ env });
    const { runtime_id } = (await http(url).get('/api/v1/runtime/info')).body;
    return { runtime_id: runtime_id as string, address: new URL(url).host.replace(':', '-') };
  };
  const named = await start({ HOSTNAME: 'big host' });
  expect(named.runtime_id).toBe(`big-host-${named.address}`);
  const unnamed = await start({ HOSTNAME: undefined });
  expect(unnamed.runtime_id).toBe(`${os.hostname()}-${unnamed.address}`.replace(/[^A-Za-z0-9._-]/g, '-'));
  expect((await start({ EXECGO_RUNTIME_ID: 'from-env' })).runtime_id).toBe('from-env');
});

test('resources say what is reserved, for whom, and by which tenant', async () => {
  const daemon = await startDaemon({
    flags: [
      ...['--max-running-tasks', '2', '--capacity-memory-bytes', '1000000000', '--capacity-pids', '1000'],
      ...['--tenant-quota', ' red = slots:1 , memory:500000000,pids:100', '--tenant-quota', 'idle=slots:3'],
    ],
  });
  const api = http(daemon.url);
  const id = await submit(
    daemon,
    command('sleep', ['60'], {
      limits: { memory_bytes: 100_000_000, pids_max: 20 },
      control_context: { tenant: 'red' },
    }),
  );
  const second = await submit(daemon, command('sleep', ['0'], { control_context: { tenant: 'red' } }));
  const { body } = await api.get('/api/v1/runtime/resources');
  expect(body).toMatchObject({
    capacity: { task_slots: 2, memory_bytes: 1_000_000_000, pids: 1000, cpu_millis: expect.any(Number) },
    reserved: { task_slots: 1, memory_bytes: 100_000_000, pids: 20 },
    available: { task_slots: 1, memory_bytes: 900_000_000, pids: 980 },
    active_reservations: [
      {
        task_id: id,
        status: 'running',
        reservation: { task_slots: 1, memory_bytes: 100_000_000, pids: 20 },
        reserved_at: TIME,
      },
    ],
    accepted_waiting_tasks: 1,
  });
  const tenants = Object.fromEntries(body.tenants.map((t: { tenant: string }) => [t.tenant, t]));
  expect(tenants.red).toMatchObject({
    quota: { task_slots: 1, memory_bytes: 500_000_000, pids: 100 },
    reserved: { task_slots: 1, memory_bytes: 100_000_000, pids: 20 },
    available: { task_slots: 0, memory_bytes: 400_000_000, pids: 80 },
  });
  expect(tenants.idle).toMatchObject({ quota: { task_slots: 3 }, reserved: { task_slots: 0 } });
  await api.post(`/api/v1/tasks/${id}/kill`);
  expect((await waitForEnd(daemon, second)).status).toBe('success');
});

test('health, readiness and metrics', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const version = expect.stringMatching(/^\d+\.\d+\.\d+/) as string;
  expect((await api.get('/healthz')).body).toEqual({ status: 'ok', version });
  const ok = (detail: RegExp) => ({ ok: true, detail: expect.stringMatching(detail) as string });
  expect((await api.get('/readyz')).body).toEqual({
    ...{ status: 'ready', version },
    parts: {
      accepting: ok(/accepted/),
      store: { ...ok(/written/), migration: expect.any(Number) as number },
      supervisor: ok(new RegExp(`^process ${daemon.supervisorPid()}$`)),
      disk: { ...ok(/MiB free$/), free_bytes: expect.any(Number) as number },
    },
  });
  await submitAndWait(daemon, command('true'));
  await submitAndWait(daemon, command('false'));
  await submitAndWait(daemon, command('sleep', ['0.2']));
  const scrape = async () => {
    const answer = await api.get('/metrics');
    expect(answer.headers['content-type']).toContain('version=0.0.4');
    return answer.text;
  };
  const check = (text: string) => {
    for (const line of [
      'execgo_runtime_tasks_total{status="accepted"} 3',
      'execgo_runtime_tasks_total{status="running"} 3',
      'execgo_runtime_tasks_total{status="success"} 2',
      'execgo_runtime_tasks_total{status="failed"} 1',
      'execgo_runtime_tasks_total{status="cancelled"} 0',
      'execgo_runtime_tasks_running 0',
      'execgo_runtime_task_errors_total{code="exit_nonzero"} 1',
      'execgo_runtime_task_duration_ms_bucket{le="+Inf"} 3',
      'execgo_runtime_task_duration_ms_count 3',
      '# TYPE execgo_runtime_task_duration_ms histogram',
      '# TYPE execgo_runtime_tasks_total counter',
    ])
      expect(text).toContain(line);
    for (const le of [100, 250, 500, 1000, 5000, 10_000, 30_000, 60_000, 300_000])
      expect(text).toContain(`execgo_runtime_task_duration_ms_bucket{le="${le}"}`);
  };
  check(await scrape());
  for (const { task_id } of (await api.get('/api/v1/tasks')).body.tasks)
    await api.delete(`/api/v1/tasks/${task_id}`);
  await daemon.restart();
  const after = await http(daemon.url).get('/metrics');
  check(after.text);
});
