import { expect, test } from 'vitest';
import { command, execgo, http, script, startDaemon } from '../harness/index.js';

const LIMITS = { memory_bytes: 50_000_000, pids_max: 10, cpu_millis: 100, cpu_time_sec: 5 };

test('what was tried is published, with a reason for every no', async () => {
  const daemon = await startDaemon();
  const { body } = await http(daemon.url).get('/api/v1/runtime/capabilities');
  expect(body).toMatchObject({
    degraded: false,
    sandbox: { linux_sandbox: true, chroot: true, switch_user: true },
    resources: {
      cgroup_tracking: true,
      cgroup_freezer: true,
      memory_limit: true,
      pids_limit: true,
      cpu_quota: true,
      oom_detection: true,
    },
  });
  const without = await startDaemon({ cgroup: false, flags: ['--disable-linux-sandbox'] });
  const { body: poor } = await http(without.url).get('/api/v1/runtime/capabilities');
  expect(poor).toMatchObject({
    degraded: true,
    resources: {
      cgroup: 'none',
      cgroup_writable: false,
      memory_limit: false,
      pids_limit: false,
      cpu_quota: false,
    },
    overrides: { cgroup: 'disabled', linux_sandbox: 'disabled' },
  });
  const missing = [
    ...['cgroup', 'memory_limit', 'pids_limit', 'cpu_quota', 'oom_detection'],
    ...['cgroup_tracking', 'cgroup_freezer'],
  ];
  for (const name of missing) expect(poor.reasons[name], name).toContain('--disable-cgroup');
  for (const name of ['linux_sandbox', 'chroot', 'namespace_pid'])
    expect(poor.reasons[name], name).toContain('--disable-linux-sandbox');
});

test('a cgroup root that is none is told', async () => {
  const daemon = await startDaemon({ flags: ['--cgroup-root', '/proc/no-cgroup/here'] });
  const { body } = await http(daemon.url).get('/api/v1/runtime/capabilities');
  expect(body.resources.cgroup).toBe('none');
  expect(body.reasons.memory_limit).toMatch(/cgroup/);
});

test('a dry run answers with plan and reservation, or the refusal, and accepts nothing', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const request = script('exit 0', { task_id: 'dry', limits: LIMITS });
  const { status, body } = await api.post('/api/v1/tasks?dry_run=true', request);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    reservation: { task_slots: 1, memory_bytes: 50_000_000, pids: 10, cpu_millis: 100 },
    plan: {
      degraded: false,
      resource_enforcement: { memory_enforced: true, pids_enforced: true, cpu_millis_enforced: true },
    },
  });
  const mechanisms = Object.entries(body.plan.resource_enforcement).filter(([name]) =>
    name.endsWith('_mechanism'),
  );
  expect(mechanisms).toHaveLength(5);
  for (const [, mechanism] of mechanisms)
    expect(['cgroup_v1', 'cgroup_v2', 'rlimit', 'supervisor']).toContain(mechanism);
  const huge = command('true', [], { limits: { memory_bytes: Number.MAX_SAFE_INTEGER } });
  expect((await api.post('/api/v1/tasks?dry_run=true', huge)).body.error.code).toBe('insufficient_resources');
  expect((await api.post('/api/v1/tasks?dry_run=true', { execution: {} })).body.error.code).toBe(
    'invalid_input',
  );
  expect((await api.get('/api/v1/tasks')).body.tasks).toEqual([]);
  const cli = await execgo(['submit', '--dry-run', '--json', JSON.stringify(request)], { daemon });
  expect(cli).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(cli.stdout)).toEqual(body);
});

test('strict: each limit that cannot be enforced in full refuses; adaptive runs and says which', async () => {
  const daemon = await startDaemon({ cgroup: false, flags: ['--default-capability-mode', 'strict'] });
  const api = http(daemon.url);
  for (const name of ['memory_bytes', 'pids_max', 'cpu_millis'] as const) {
    const limits = { limits: { [name]: LIMITS[name] } };
    const refused = await api.post('/api/v1/tasks', command('true', [], limits));
    expect(refused.body.error, name).toMatchObject({
      code: 'unsupported_capability',
      message: expect.stringContaining(name),
    });
    const adaptive = command('true', [], { ...limits, policy: { capability_mode: 'adaptive' } });
    const { body } = await api.post('/api/v1/tasks?dry_run=true', adaptive);
    expect(body.plan.fallback_reasons, name).toEqual([expect.stringContaining(name)]);
    const accepted = await api.post('/api/v1/tasks', adaptive);
    const events = await api.get(`/api/v1/tasks/${accepted.body.task_id}/events`);
    const degraded = events.body.find((event: { event_type: string }) => event.event_type === 'degraded');
    expect(degraded.data.fallback_reasons).toEqual(body.plan.fallback_reasons);
  }
  const cpuTime = command('true', [], { limits: { cpu_time_sec: 5 } });
  expect((await api.post('/api/v1/tasks', cpuTime)).status).toBe(200);
});
