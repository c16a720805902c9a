import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { command, http, startDaemon, submit, submitAndWait, waitFor, waitForEnd } from '../harness/index.js';

const FOREVER = { queue_timeout_ms: 86_400_000 };
const wanting = (demands: object, limits: object = FOREVER) =>
  command('true', [], { policy: { demands, priority: 9 }, limits });

test('a task whose demands this machine meets runs, and one without a way to wait is refused', async () => {
  const daemon = await startDaemon({ flags: ['--tag', 'gpu', '--tag', 'ssd', '--profile', 'build'] });
  const all = { hostname: hostname(), profile: 'build', tags: ['ssd'] };
  expect((await submitAndWait(daemon, wanting(all, {}))).status).toBe('success');
  const config = (await http(daemon.url).get('/api/v1/runtime/config')).body;
  expect(config).toMatchObject({ profile: 'build', tags: ['gpu', 'ssd'] });
  for (const [demands, demand] of [
    [{ hostname: 'elsewhere' }, 'hostname'],
    [{ profile: 'test' }, 'profile'],
    [{ tags: ['gpu', 'tpu'] }, 'tags'],
  ] as const)
    for (const path of ['/api/v1/tasks', '/api/v1/tasks?dry_run=true']) {
      const { status, body } = await http(daemon.url).post(path, wanting(demands, {}));
      expect([status, body.error.code, body.error.details.demand]).toEqual([
        400,
        'unsupported_capability',
        demand,
      ]);
      expect(body.error.message).toMatch(/^unsupported capability: policy\.demands\..*queue_timeout_ms/);
    }
  expect((await http(daemon.url).get('/api/v1/tasks')).body.tasks).toHaveLength(1);
});

test('what this machine is not for waits with its reason, holds nobody up, and runs where a daemon is for it', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const api = () => http(daemon.url);
  const answer = (await api().post('/api/v1/tasks', { task_id: 'wants', ...wanting({ tags: ['gpu'] }) }))
    .body;
  expect(answer.warnings).toEqual([expect.stringContaining('policy.demands.tags has "gpu"')]);
  // Greater priority and age, and yet nothing waits for it.
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  const waiting = {
    reason: 'demands',
    detail: 'policy.demands.tags has "gpu", and this daemon has none (serve --tag)',
    since: expect.stringMatching(/Z$/) as unknown,
  };
  expect((await api().get('/api/v1/tasks/wants')).body).toMatchObject({ status: 'accepted', waiting });
  expect((await api().get('/api/v1/tasks?status=accepted')).body.tasks).toMatchObject([{ waiting }]);
  const resources = (await api().get('/api/v1/runtime/resources')).body;
  expect(resources).toMatchObject({ accepted_waiting_tasks: 1, active_reservations: [] });
  expect((await api().get('/metrics')).text).toContain('execgo_runtime_tasks_waiting 1');

  await daemon.restart({ flags: ['--tag', 'gpu'] });
  const end = await waitForEnd(daemon, 'wants');
  expect(end.status).toBe('success');
  expect(end).not.toHaveProperty('waiting');
});

test('a task that waited for room waits on when the machine is no longer for it', async () => {
  const flags = ['--max-running-tasks', '1'];
  const daemon = await startDaemon({ flags: [...flags, '--tag', 'gpu'] });
  const api = () => http(daemon.url);
  const busy = await submit(daemon, command('sleep', ['600']));
  const id = await submit(daemon, wanting({ tags: ['gpu'] }, {}));
  expect((await api().get(`/api/v1/tasks/${id}`)).body).toMatchObject({ waiting: { reason: 'capacity' } });
  await daemon.restart({ flags });
  await api().post(`/api/v1/tasks/${busy}/kill?wait_ms=60000`);
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  expect((await api().get(`/api/v1/tasks/${id}`)).body).toMatchObject({
    status: 'accepted',
    waiting: { reason: 'demands' },
  });
  await waitFor(
    () => daemon.logs().some((line) => line.msg.includes('wait for a machine') && line['tasks'] === 1),
    { what: 'the line of the log' },
  );
  await daemon.restart({ flags: [...flags, '--tag', 'gpu'] });
  expect((await waitForEnd(daemon, id)).status).toBe('success');
});

test('the wait ends with its time and with a kill, and has a bound of its own', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1', '--max-queued-tasks', '1'] });
  const api = http(daemon.url);
  const late = await submitAndWait(daemon, wanting({ profile: 'p' }, { queue_timeout_ms: 200 }));
  expect(late).toMatchObject({
    ...{ status: 'failed', cause: 'queue_timeout' },
    error: {
      code: 'timeout',
      message: expect.stringMatching(/^task exceeded queue_timeout_ms: 200 ms; .*"p"/),
    },
  });
  const id = await submit(daemon, wanting({ profile: 'p' }));
  const second = await api.post('/api/v1/tasks', wanting({ profile: 'p' }));
  expect([second.status, second.body.error.message]).toEqual([429, 'queue is full']);
  const busy = await submit(daemon, command('sleep', ['600']));
  await waitFor(async () => (await api.get(`/api/v1/tasks/${busy}`)).body.status === 'running', {
    what: 'a start',
  });
  const next = await submit(daemon, command('true'));
  expect((await api.post(`/api/v1/tasks/${id}/kill`)).body).toMatchObject({ status: 'cancelled' });
  await submit(daemon, { task_id: 'again', ...wanting({ profile: 'p' }) });
  for (const task of ['again', next, busy]) await api.post(`/api/v1/tasks/${task}/kill?wait_ms=60000`);
});

test('fields that are kept and steer nothing are named in the answer', async () => {
  const daemon = await startDaemon();
  const post = async (control_context: object) =>
    (await http(daemon.url).post('/api/v1/tasks', command('true', [], { control_context }))).body;
  const { warnings } = await post({ queue: 'q', control_plane_mode: 'm' });
  expect(warnings).toEqual([
    expect.stringMatching(/^control_context\.control_plane_mode is kept, and steers nothing/),
  ]);
  expect(await post({ tenant: 't', requires_resource_reservation: true })).not.toHaveProperty('warnings');
});
