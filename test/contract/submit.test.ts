import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withDatabase } from '../faults/support.js';
import {
  command,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const TRUE = { kind: 'command', program: 'true' };

test('the answer names the task, is always accepted, and the task can be read at once', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const answer = await api.post('/api/v1/tasks', { task_id: 'first.task_1-A', execution: TRUE });
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({ task_id: 'first.task_1-A', handle_id: 'first.task_1-A', status: 'accepted' });
  expect((await api.get('/api/v1/tasks/first.task_1-A')).status).toBe(200);

  const generated = await api.post('/api/v1/tasks', { execution: TRUE });
  expect(generated.body.task_id).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  await waitForEnd(daemon, generated.body.task_id);
  await waitForEnd(daemon, 'first.task_1-A');
});

test('null means absent, and defaults are those of the contract', async () => {
  const daemon = await startDaemon();
  const body = {
    task_id: null,
    execution: { ...TRUE, args: null, script: null, interpreter: null, env: null },
    limits: {
      wall_time_ms: null,
      cpu_time_sec: null,
      memory_bytes: null,
      pids_max: null,
      stdout_max_bytes: null,
    },
    sandbox: { profile: null, workspace_subdir: null, rootfs: null, chroot: null, namespaces: null },
    policy: { capability_mode: null },
    control_context: null,
    metadata: null,
  };
  const end = await submitAndWait(daemon, body);
  expect(end.status).toBe('success');
  const request = JSON.parse(readFileSync(end.artifacts.request_path, 'utf8'));
  expect(request).toMatchObject({
    task_id: end.task_id,
    execution: { kind: 'command', program: 'true', args: [], env: {} },
    limits: { wall_time_ms: 300_000, stdout_max_bytes: 4_194_304, stderr_max_bytes: 4_194_304 },
    sandbox: { profile: 'process', chroot: false },
    metadata: {},
  });
  expect(end.execution_plan).toMatchObject({
    capability_mode: 'adaptive',
    requested_sandbox: { profile: 'process' },
    effective_sandbox: { profile: 'process' },
    resource_enforcement: {
      wall_time_ms: 300_000,
      cpu_time_enforced: false,
      memory_enforced: false,
      pids_enforced: false,
    },
    degraded: false,
  });
});

test('unknown fields are accepted and named', async () => {
  const daemon = await startDaemon();
  const answer = await http(daemon.url).post('/api/v1/tasks', {
    execution: { ...TRUE, shell: true },
    colour: 'red',
    limits: { wall_time_s: 3 },
  });
  expect(answer.status).toBe(200);
  const warnings = answer.body.warnings.join('\n');
  for (const field of ['execution.shell', 'colour', 'limits.wall_time_s']) expect(warnings).toContain(field);
  await waitForEnd(daemon, answer.body.task_id);
});

const BAD: [what: string, body: unknown, field: string][] = [
  ['no execution', {}, 'execution'],
  ['not an object', [1], 'body'],
  ['unknown kind', { execution: { kind: 'binary', program: 'true' } }, 'execution.kind'],
  ['a command without program', { execution: { kind: 'command' } }, 'execution.program'],
  ['a blank program', { execution: { kind: 'command', program: '  ' } }, 'execution.program'],
  ['a command with script', { execution: { ...TRUE, script: 'true' } }, 'execution.script'],
  ['a script without text', { execution: { kind: 'script', script: ' \n' } }, 'execution.script'],
  [
    'a script with program',
    { execution: { kind: 'script', script: ':', program: 'x' } },
    'execution.program',
  ],
  [
    'an empty interpreter',
    { execution: { kind: 'script', script: ':', interpreter: [] } },
    'execution.interpreter',
  ],
  [
    'a blank interpreter',
    { execution: { kind: 'script', script: ':', interpreter: [' '] } },
    'execution.interpreter',
  ],
  ['args that are no list', { execution: { ...TRUE, args: 'a' } }, 'execution.args'],
  ['NUL in args', { execution: { ...TRUE, args: ['a\0b'] } }, 'execution.args.0'],
  ['NUL in the environment', { execution: { ...TRUE, env: { A: '\0' } } }, 'execution.env.A'],
  ['an empty variable name', { execution: { ...TRUE, env: { '': 'x' } } }, 'execution.env'],
  ['= in a variable name', { execution: { ...TRUE, env: { 'A=B': 'x' } } }, 'execution.env'],
  ['a wall time below 0', { execution: TRUE, limits: { wall_time_ms: -1 } }, 'limits.wall_time_ms'],
  ['half a millisecond', { execution: TRUE, limits: { wall_time_ms: 0.5 } }, 'limits.wall_time_ms'],
  ['a kept size of 0', { execution: TRUE, limits: { stderr_keep_bytes: 0 } }, 'limits.stderr_keep_bytes'],
  ['a negative limit', { execution: TRUE, limits: { memory_bytes: -1 } }, 'limits.memory_bytes'],
  ['a fractional limit', { execution: TRUE, limits: { pids_max: 1.5 } }, 'limits.pids_max'],
  ['a limit past 2^53-1', { execution: TRUE, limits: { cpu_time_sec: 2 ** 53 } }, 'limits.cpu_time_sec'],
  ['an output cap of 0', { execution: TRUE, limits: { stdout_max_bytes: 0 } }, 'limits.stdout_max_bytes'],
  ['a limit as text', { execution: TRUE, limits: { wall_time_ms: '1000' } }, 'limits.wall_time_ms'],
  ['an unknown profile', { execution: TRUE, sandbox: { profile: 'vm' } }, 'sandbox.profile'],
  [
    'an absolute subdirectory',
    { execution: TRUE, sandbox: { workspace_subdir: '/etc' } },
    'sandbox.workspace_subdir',
  ],
  [
    'a subdirectory with ..',
    { execution: TRUE, sandbox: { workspace_subdir: 'a/../..' } },
    'sandbox.workspace_subdir',
  ],
  [
    'chroot without rootfs',
    { execution: TRUE, sandbox: { profile: 'linux_sandbox', chroot: true } },
    'sandbox.rootfs',
  ],
  [
    'chroot in the process profile',
    { execution: TRUE, sandbox: { chroot: true, rootfs: '/x' } },
    'sandbox.profile',
  ],
  ['an unknown mode', { execution: TRUE, policy: { capability_mode: 'lax' } }, 'policy.capability_mode'],
  ['a fractional priority', { execution: TRUE, policy: { priority: 0.5 } }, 'policy.priority'],
  ['an empty tenant', { execution: TRUE, control_context: { tenant: '' } }, 'control_context.tenant'],
  ['a blank owner', { execution: TRUE, control_context: { owner: ' ' } }, 'control_context.owner'],
  [
    '= in a label',
    { execution: TRUE, control_context: { labels: { 'a=b': 'c' } } },
    'control_context.labels',
  ],
  ['metadata that are no texts', { execution: TRUE, metadata: { a: 1 } }, 'metadata.a'],
  ['an id with a slash', { task_id: 'a/b', execution: TRUE }, 'task_id'],
  ['an id of ..', { task_id: '..', execution: TRUE }, 'task_id'],
  ['an empty id', { task_id: '', execution: TRUE }, 'task_id'],
  ['an id with a blank', { task_id: ' a', execution: TRUE }, 'task_id'],
  ['an id of 129 characters', { task_id: 'a'.repeat(129), execution: TRUE }, 'task_id'],
];

test('every rule is checked, the field is named, and nothing is left behind', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  for (const [what, body, field] of BAD) {
    const answer = await api.post('/api/v1/tasks', body);
    expect(answer.status, what).toBe(400);
    expect(answer.body.error.code, what).toBe('invalid_input');
    expect(answer.body.error.message, what).toMatch(/^invalid input: /);
    expect(answer.body.error.message, what).toContain(field);
  }
  expect(readdirSync(join(daemon.dataDir, 'tasks'))).toEqual([]);
  expect((await api.get('/api/v1/tasks')).body.tasks).toEqual([]);
});

test('an id that is taken is a conflict and does not touch the first task', async () => {
  const daemon = await startDaemon();
  const first = await submitAndWait(daemon, { task_id: 'same', ...command('echo', ['one']) });
  const second = await http(daemon.url).post('/api/v1/tasks', {
    task_id: 'same',
    ...command('echo', ['two']),
  });
  expect(second.status).toBe(409);
  expect(second.body.error.code).toBe('conflict');
  const after = await waitForEnd(daemon, 'same');
  expect(after).toEqual(first);
  expect(readFileSync(first.artifacts.request_path, 'utf8')).toContain('one');
});

test('a burst with one id accepts it once', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => api.post('/api/v1/tasks', { task_id: 'burst', execution: TRUE })),
  );
  expect(answers.map((a) => a.status).sort()).toEqual([200, 409, 409, 409, 409, 409, 409, 409]);
  expect((await waitForEnd(daemon, 'burst')).status).toBe('success');
});

describe('idempotency', () => {
  const keyed = (key: string, args: string[], tenant?: string) =>
    command('echo', args, { control_context: { idempotency_key: key, ...(tenant ? { tenant } : {}) } });

  test('the same key and body give the first answer again, also after the end and the deletion', async () => {
    const daemon = await startDaemon();
    const api = http(daemon.url);
    const first = await submit(daemon, keyed('k1', ['a']));
    expect(await submit(daemon, keyed('k1', ['a']))).toBe(first);
    await waitForEnd(daemon, first);
    expect((await api.post('/api/v1/tasks', keyed('k1', ['a']))).body).toEqual({
      task_id: first,
      handle_id: first,
      status: 'accepted',
    });
    expect((await api.delete(`/api/v1/tasks/${first}`)).status).toBeLessThan(300);
    expect(await submit(daemon, keyed('k1', ['a']))).toBe(first);
  });

  test('the same key and another body are a conflict; another tenant has keys of its own', async () => {
    const daemon = await startDaemon();
    const first = await submit(daemon, keyed('k2', ['a']));
    const other = await http(daemon.url).post('/api/v1/tasks', keyed('k2', ['b']));
    expect([other.status, other.body.error.code]).toEqual([409, 'conflict']);
    const foreign = await submit(daemon, keyed('k2', ['b'], 'blue'));
    expect(foreign).not.toBe(first);
    await waitForEnd(daemon, first);
    await waitForEnd(daemon, foreign);
  });

  test('ten at once run once', async () => {
    const daemon = await startDaemon();
    const ids = await Promise.all(Array.from({ length: 10 }, () => submit(daemon, keyed('k3', ['a']))));
    expect(new Set(ids).size).toBe(1);
    await waitForEnd(daemon, ids[0]!);
    expect((await http(daemon.url).get('/api/v1/tasks')).body.tasks).toHaveLength(1);
  });

  test('so do ten at once with one id, also when the queue is full with the first of them', async () => {
    const daemon = await startDaemon({ flags: ['--max-running-tasks', '1', '--max-queued-tasks', '1'] });
    const api = http(daemon.url);
    const busy = await submit(daemon, command('sleep', ['60']));
    await waitFor(async () => (await api.get(`/api/v1/tasks/${busy}`)).body.status === 'running');
    const request = { task_id: 'one', ...keyed('k4', ['a']) };
    const other = { task_id: 'one', ...keyed('k4', ['b']) };
    const alone = Array.from({ length: 10 }, () => api.post('/api/v1/tasks', request));
    const batch = api.post('/api/v1/tasks/batch', { tasks: [request, request, other] });
    for (const answer of await Promise.all(alone))
      expect([answer.status, answer.body.task_id]).toEqual([200, 'one']);
    expect((await batch).body).toMatchObject([
      { task_id: 'one', status: 'accepted' },
      { task_id: 'one', status: 'accepted' },
      { task_id: 'one', error: { code: 'conflict' } },
    ]);
    await api.post(`/api/v1/tasks/${busy}/kill`);
    expect((await waitForEnd(daemon, 'one')).stdout).toBe('a\n');
  });

  test('a key outlives an upgrade, whatever the version before made of the request', async () => {
    const daemon = await startDaemon();
    const request = {
      execution: { kind: 'command', program: '/bin/true' },
      control_context: { idempotency_key: 'k' },
    };
    const first = await submit(daemon, request);
    await waitForEnd(daemon, first);
    await daemon.stop();
    withDatabase(daemon.dataDir, (db) =>
      db
        .prepare('UPDATE idempotency_keys SET request_hash = ?')
        .run('bdc82bb086ea2ea5594cd5222cb37e901c509f91a0ddcc6a0ecd6b7e17e6cce6'),
    );
    await daemon.restart();
    expect(await submit(daemon, request)).toBe(first);
    const other = await http(daemon.url).post('/api/v1/tasks', { ...request, metadata: { a: 'b' } });
    expect(other.status).toBe(409);
  });

  test('keys end after their time', async () => {
    const daemon = await startDaemon({
      flags: ['--idempotency-retention-secs', '1', '--gc-interval-ms', '20'],
    });
    const first = await submit(daemon, keyed('k5', ['a']));
    const next = await waitFor(async () => {
      const id = await submit(daemon, keyed('k5', ['a']));
      return id !== first && id;
    });
    for (const id of [first, next]) expect((await waitForEnd(daemon, id)).status).toBe('success');
  });
});

test('what can never fit is refused before the queue is looked at, then the queue', async () => {
  const daemon = await startDaemon({
    flags: [
      ...['--max-running-tasks', '1', '--max-queued-tasks', '1', '--capacity-memory-bytes', '1000000'],
      ...['--tenant-quota', 'small=slots:1,memory:1000', '--tenant-quota', 'none=slots:0'],
    ],
  });
  const api = http(daemon.url);
  const post = (body: object) => api.post('/api/v1/tasks', body);
  const running = await submit(daemon, command('sleep', ['60']));
  await api.get(`/api/v1/tasks/${running}?wait_ms=0`);
  const waiting = await submit(daemon, command('true'));
  const full = await post(command('true'));
  expect([full.status, full.body.error]).toEqual([
    429,
    {
      code: 'resource_limit_exceeded',
      message: 'queue is full',
      details: { bound: 'max_queued_tasks', limit: 1 },
    },
  ]);
  expect(full.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  const tooBig = await post(command('true', [], { limits: { memory_bytes: 2_000_000 } }));
  expect([tooBig.status, tooBig.body.error.code]).toEqual([400, 'insufficient_resources']);
  expect(tooBig.body.error.message).toMatch(/^insufficient resources: /);
  const quota = command('true', [], { limits: { memory_bytes: 2000 }, control_context: { tenant: 'small' } });
  expect((await post(quota)).body.error.code).toBe('insufficient_resources');
  const zero = await post(command('true', [], { control_context: { tenant: 'none' } }));
  expect(zero.body.error.code).toBe('insufficient_resources');
  expect((await api.get('/api/v1/runtime/resources')).body.accepted_waiting_tasks).toBe(1);
  expect(readdirSync(join(daemon.dataDir, 'tasks')).sort()).toEqual([running, waiting].sort());
  await api.post(`/api/v1/tasks/${running}/kill`);
  expect((await waitForEnd(daemon, waiting)).status).toBe('success');
});

test('strict refuses what cannot be enforced, adaptive says what it does instead', async () => {
  const daemon = await startDaemon({ cgroup: false, flags: ['--disable-linux-sandbox'] });
  const limits = { pids_max: 50 };
  const strict = await http(daemon.url).post(
    '/api/v1/tasks',
    command('true', [], { limits, policy: { capability_mode: 'strict' } }),
  );
  expect([strict.status, strict.body.error.code]).toEqual([400, 'unsupported_capability']);
  expect(strict.body.error.message).toMatch(/^unsupported capability: /);
  const required = await http(daemon.url).post(
    '/api/v1/tasks',
    command('true', [], {
      sandbox: { profile: 'linux_sandbox' },
      control_context: { requires_strict_sandbox: true },
    }),
  );
  expect(required.body.error.code).toBe('unsupported_capability');
  const adaptive = await submitAndWait(daemon, command('true', [], { limits }));
  expect(adaptive.execution_plan).toMatchObject({
    degraded: true,
    resource_enforcement: { pids_enforced: false },
  });
  expect(adaptive.execution_plan?.fallback_reasons?.join()).toMatch(/pids/);
});

test('a dry run tells plan and reservation and accepts nothing', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const body = command('true', [], { limits: { memory_bytes: 50_000_000, cpu_millis: 100 } });
  const answer = await api.post('/api/v1/tasks?dry_run=true', body);
  expect(answer.status).toBe(200);
  expect(answer.body.reservation).toEqual({ task_slots: 1, memory_bytes: 50_000_000, cpu_millis: 100 });
  expect(answer.body.plan.resource_enforcement.memory_bytes).toBe(50_000_000);
  expect((await api.get('/api/v1/tasks')).body.tasks).toEqual([]);
  expect(existsSync(join(daemon.dataDir, 'tasks')) && readdirSync(join(daemon.dataDir, 'tasks'))).toEqual([]);
});

test('a batch has an answer per item and hurts nobody', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const tasks = [
    { task_id: 'b1', execution: TRUE },
    { task_id: 'b1', execution: TRUE },
    { task_id: 'bad/', execution: TRUE },
    { task_id: 'b2', ...script('exit 3') },
  ];
  const answer = await api.post('/api/v1/tasks/batch', { tasks });
  expect(answer.status).toBe(200);
  const items = answer.body.tasks ?? answer.body.results ?? answer.body;
  expect(items).toHaveLength(4);
  expect(items[0]).toMatchObject({ task_id: 'b1', status: 'accepted' });
  expect(items[1].error.code).toBe('conflict');
  expect(items[2].error.code).toBe('invalid_input');
  expect(items[3]).toMatchObject({ task_id: 'b2', status: 'accepted' });
  expect((await waitForEnd(daemon, 'b1')).status).toBe('success');
  expect((await waitForEnd(daemon, 'b2')).exit_code).toBe(3);
  for (const bad of [{}, { tasks: [] }, { tasks: 'x' }, { tasks: Array(1001).fill({ execution: TRUE }) }])
    expect((await api.post('/api/v1/tasks/batch', bad)).body.error.code).toBe('invalid_input');
});

test('directories are 0700 and files 0600', async () => {
  const daemon = await startDaemon();
  const end = await submitAndWait(daemon, script('echo hello'));
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
  const { artifacts: a } = end;
  for (const dir of [
    daemon.dataDir,
    join(daemon.dataDir, 'tasks'),
    a.task_dir,
    join(a.task_dir, 'workspace'),
  ])
    expect(mode(dir), dir).toBe('700');
  for (const file of [
    a.request_path,
    a.result_path,
    a.stdout_path,
    a.stderr_path,
    join(daemon.dataDir, 'runtime.db'),
  ])
    expect(mode(file), file).toBe('600');
  expect(mode(a.script_path!)).toBe('700');
});
