import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TaskView } from '../../src/task/view.js';
import {
  type Daemon,
  eventTypes,
  execgo,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
} from '../harness/index.js';
import { python } from '../limits/support.js';

const MB = 1_000_000;
/** Counts its attempts in its workspace, and says which one it is. */
const COUNT =
  'echo x >> n; echo "attempt $EXECGO_ATTEMPT of $(wc -l < n)"; echo "error $EXECGO_ATTEMPT" >&2\n';
const retry = (more: object = {}) => ({ policy: { retry: { max_attempts: 3, backoff_ms: 0, ...more } } });
/** Long enough that nothing of it passes during a test. */
const FOREVER = { backoff_ms: 3_600_000 };

async function statusOf(daemon: { url: string }, id: string): Promise<TaskView> {
  return (await http(daemon.url).get(`/api/v1/tasks/${id}`)).body as TaskView;
}

async function backingOff(daemon: { url: string }, id: string): Promise<TaskView> {
  return waitFor(
    async () => {
      const task = await statusOf(daemon, id);
      return task.waiting?.reason === 'retry_backoff' ? task : undefined;
    },
    { what: 'the back-off' },
  );
}

async function outputOf(daemon: Daemon, id: string, query: string) {
  return (await http(daemon.url).get(`/api/v1/tasks/${id}/output?${query}`)).body;
}

test('a task is tried until an attempt succeeds, and has one end', async () => {
  const daemon = await startDaemon();
  const task = await submitAndWait(daemon, script(`${COUNT}[ "$EXECGO_ATTEMPT" = 3 ] || exit 7`, retry()));
  expect(task).toMatchObject({ status: 'success', cause: 'exit', exit_code: 0, attempt: 3 });
  expect(task.error).toBeUndefined();
  expect(task.stdout).toBe('attempt 3 of 3\n');
  expect(task.artifacts.stdout_path).toMatch(/stdout\.3\.log$/);
  const failed = { cause: 'exit', exit_code: 7, error: { code: 'exit_nonzero' }, stdout_bytes: 15 };
  expect(task.attempts).toMatchObject([
    { attempt: 1, ...failed },
    { attempt: 2, ...failed },
    { attempt: 3, cause: 'exit', exit_code: 0 },
  ]);
  const times = task.attempts!.flatMap(({ started_at = '', finished_at }) => [started_at, finished_at]);
  expect(times).toEqual([...times].sort());
  expect(task.usage_total!.duration_ms).toBe(
    task.attempts!.reduce((sum, { usage }) => sum + usage!.duration_ms, 0),
  );
  expect(task.duration_ms).toBe(task.attempts![2]!.usage!.duration_ms);
  const again = ['resource_reserved', 'started', 'resource_released', 'attempt_failed', 'retry_scheduled'];
  expect(await eventTypes(daemon, task.task_id)).toEqual([
    ...['submitted', 'accepted', 'planned', ...again, ...again],
    ...['resource_reserved', 'started', 'resource_released', 'finished'],
  ]);
  for (const attempt of [1, 2, 3]) {
    const range = await outputOf(daemon, task.task_id, `attempt=${attempt}`);
    expect(range).toMatchObject({ attempt, data: `attempt ${attempt} of ${attempt}\n`, eof: true });
    const view = await outputOf(daemon, task.task_id, `attempt=${attempt}&stream=stderr&view=head_tail`);
    expect(view).toMatchObject({ attempt, head: `error ${attempt}\n`, eof: true });
  }
  expect(await outputOf(daemon, task.task_id, '')).toMatchObject({ attempt: 3 });
  expect((await http(daemon.url).get('/metrics')).text).toContain(
    'execgo_runtime_task_retries_total{cause="exit"} 2',
  );
});

test('the last attempt that may be decides how the task ends', async () => {
  const daemon = await startDaemon();
  const task = await submitAndWait(daemon, script(`${COUNT}exit $((10 + EXECGO_ATTEMPT))`, retry()));
  expect(task).toMatchObject({ status: 'failed', exit_code: 13, attempt: 3 });
  expect(task.attempts!.map(({ exit_code }) => exit_code)).toEqual([11, 12, 13]);
});

describe('what is not retried', () => {
  const cases: [what: string, body: string, more: object, expected: object][] = [
    ['a success', 'true', retry(), { status: 'success' }],
    ['another exit code', 'exit 3', retry({ exit_codes: [75] }), { status: 'failed', exit_code: 3 }],
    ['a signal where only exit is named', 'kill -9 $$', retry({ on: ['exit'] }), { cause: 'signal' }],
    ['a signal where exit codes are named', 'kill -9 $$', retry({ exit_codes: [1] }), { cause: 'signal' }],
    ['one attempt that may be', 'exit 1', retry({ max_attempts: 1 }), { exit_code: 1 }],
  ];
  test('each ends with its first attempt', async () => {
    const daemon = await startDaemon();
    const ends = cases.map(async ([what, body, more, expected]) => {
      expect(await submitAndWait(daemon, script(body, more)), what).toMatchObject({
        ...expected,
        attempt: 1,
      });
    });
    await Promise.all(ends);
  });
});

test('each cause that is named is retried, and wall time is that of an attempt', async () => {
  const daemon = await startDaemon();
  const [signal, code, timeout, launch] = await Promise.all([
    submitAndWait(daemon, script('kill -9 $$', retry({ on: ['signal'] }))),
    submitAndWait(daemon, script('exit 75', retry({ exit_codes: [75] }))),
    submitAndWait(
      daemon,
      script('[ "$EXECGO_ATTEMPT" = 2 ] || sleep 600', { ...retry(), limits: { wall_time_ms: 300 } }),
    ),
    submitAndWait(daemon, { execution: { kind: 'command', program: '/nowhere' }, ...retry() }),
  ]);
  expect(signal.attempts!.map(({ exit_signal }) => exit_signal)).toEqual([9, 9, 9]);
  expect(code.attempts!.map(({ exit_code }) => exit_code)).toEqual([75, 75, 75]);
  expect(timeout).toMatchObject({ status: 'success', attempts: [{ cause: 'timeout' }, { cause: 'exit' }] });
  expect(launch).toMatchObject({ status: 'failed', cause: 'launch', attempt: 3 });
});

test('during the back-off it is accepted, says why and until when, and holds nothing', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const id = await submit(daemon, script(`${COUNT}exit 1`, retry(FOREVER)));
  const task = await backingOff(daemon, id);
  expect(task).toMatchObject({
    status: 'accepted',
    attempt: 1,
    attempts: [{ attempt: 1, exit_code: 1 }],
    stdout: 'attempt 1 of 1\n',
    waiting: { detail: 'attempt 1 of 3 has failed, and the next is not due yet' },
  });
  const { since, until } = task.waiting!;
  expect(Date.parse(until!) - Date.parse(since)).toBeGreaterThan(3_500_000);
  for (const absent of ['cause', 'started_at', 'finished_at', 'exit_code', 'error', 'pid'])
    expect(task).not.toHaveProperty(absent);
  const list = await http(daemon.url).get('/api/v1/tasks');
  expect(list.body.tasks[0]).toMatchObject({ attempt: 1, waiting: { reason: 'retry_backoff' } });
  // The one slot is free.
  expect(await submitAndWait(daemon, script('true'))).toMatchObject({ status: 'success' });
  const output = await outputOf(daemon, id, '');
  expect(output).toMatchObject({ attempt: 1, data: 'attempt 1 of 1\n', eof: false });
  expect(await outputOf(daemon, id, 'attempt=1')).toMatchObject({ eof: true });
});

test('a kill during the back-off ends all', async () => {
  const daemon = await startDaemon();
  const id = await submit(daemon, script(`${COUNT}exit 1`, retry(FOREVER)));
  await backingOff(daemon, id);
  const killed = await http(daemon.url).post(`/api/v1/tasks/${id}/kill?wait_ms=10000`);
  expect(killed.body).toMatchObject({
    status: 'cancelled',
    attempt: 1,
    attempts: [{ attempt: 1 }],
    stdout: 'attempt 1 of 1\n',
    error: { message: 'task cancelled before its next attempt' },
  });
  expect((await eventTypes(daemon, id)).at(-1)).toBe('cancelled');
});

test('a kill of an attempt that runs ends all', async () => {
  const daemon = await startDaemon();
  const id = await submit(daemon, script('sleep 600', retry()));
  await waitFor(async () => (await statusOf(daemon, id)).pid, { what: 'the start' });
  await http(daemon.url).post(`/api/v1/tasks/${id}/kill`);
  expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'cancelled', attempt: 1 });
});

test('a task in its back-off can be changed, and goes on as it was changed', async () => {
  const daemon = await startDaemon();
  const id = await submit(daemon, script(`${COUNT}exit 1`, retry({ backoff_ms: 1500 })));
  await backingOff(daemon, id);
  const { status, body } = await http(daemon.url).request('PATCH', `/api/v1/tasks/${id}`, {
    body: { policy: { priority: 7 }, control_context: { queue: 'other' } },
  });
  expect(status).toBe(200);
  expect(body).toMatchObject({ priority: 7, queue: 'other', waiting: { reason: 'retry_backoff' } });
  expect(await waitForEnd(daemon, id)).toMatchObject({ queue: 'other', attempt: 3, exit_code: 1 });
});

test('the workspace stays as the attempt before has left it, and output is not mixed', async () => {
  const daemon = await startDaemon();
  // It puts directories where the next attempt's files go, and something else for its own script.
  const body = `${COUNT}mkdir -p ../stdout.2.log/sub ../stderr.2.log; rm ../script.sh; mkdir ../script.sh; exit 1`;
  const task = await submitAndWait(daemon, script(body, retry({ max_attempts: 2 })));
  expect(task).toMatchObject({
    attempt: 2,
    stdout: 'attempt 2 of 2\n',
    stderr: expect.stringContaining('error 2\n'),
  });
  const names = readdirSync(join(daemon.dataDir, 'tasks', task.task_id));
  expect(names).toEqual(expect.arrayContaining(['stdout.log', 'stdout.2.log', 'stderr.log', 'stderr.2.log']));
  expect(await outputOf(daemon, task.task_id, 'attempt=1')).toMatchObject({ data: 'attempt 1 of 1\n' });
});

test('output is capped for each attempt', async () => {
  const daemon = await startDaemon();
  const limits = { stdout_max_bytes: 4, stdout_keep_bytes: 4 };
  const task = await submitAndWait(daemon, script('echo 123456789; exit 1', { limits, ...retry() }));
  for (const attempt of [1, 2, 3])
    expect(await outputOf(daemon, task.task_id, `attempt=${attempt}&view=head_tail`)).toMatchObject({
      total_bytes: 10,
      eof: true,
    });
});

test('an attempt that there is not is not found', async () => {
  const daemon = await startDaemon();
  const { task_id } = await submitAndWait(daemon, script('exit 1', retry({ max_attempts: 2 })));
  for (const path of ['output', 'output/stream']) {
    const { status, body } = await http(daemon.url).get(`/api/v1/tasks/${task_id}/${path}?attempt=3`);
    expect([status, body.error.code]).toEqual([404, 'not_found']);
    expect(body.error.message).toBe(`task ${task_id} has no attempt 3: the last one is number 2`);
    for (const wrong of ['0', 'x', '-1', ''])
      expect((await http(daemon.url).get(`/api/v1/tasks/${task_id}/${path}?attempt=${wrong}`)).status).toBe(
        400,
      );
  }
});

test('after a proved oom the limit is raised, as far as there is memory at all, and no other cause raises it', async () => {
  const daemon = await startDaemon({
    flags: ['--capacity-memory-bytes', String(300 * MB), '--tenant-quota', 'poor=slots:4,memory:120000000'],
  });
  const limits = { memory_bytes: 50 * MB };
  const eat = (more: object) => python(`b = bytearray(${180 * MB}); print("had it")`, { limits, ...more });
  const grows = { max_attempts: 4, memory_factor: 2 };
  const [enough, poor, other] = await Promise.all([
    submitAndWait(daemon, eat(retry(grows))),
    submitAndWait(daemon, eat({ ...retry(grows), control_context: { tenant: 'poor' } })),
    submitAndWait(daemon, script('exit 1', { limits, ...retry(grows) })),
  ]);
  expect(enough).toMatchObject({
    status: 'success',
    attempts: [{ cause: 'oom' }, { cause: 'oom' }, { cause: 'exit' }],
    limits: { memory_bytes: 200 * MB },
    reservation: { memory_bytes: 200 * MB },
    execution_plan: { resource_enforcement: { memory_bytes: 200 * MB } },
    usage_total: { oom_kills: enough.attempts!.reduce((sum, { usage }) => sum + usage!.oom_kills!, 0) },
  });
  expect(poor).toMatchObject({ cause: 'oom', attempt: 4, limits: { memory_bytes: 120 * MB } });
  expect(other).toMatchObject({ cause: 'exit', attempt: 4, limits });
  const sent = await http(daemon.url).get(`/api/v1/tasks/${enough.task_id}/request`);
  expect(sent.body.limits).toEqual(limits);
  const { body } = await http(daemon.url).get(`/api/v1/tasks/${enough.task_id}/events`);
  const scheduled = body.flatMap(({ event_type, message }: { event_type: string; message: string }) =>
    event_type === 'retry_scheduled' ? [message] : [],
  );
  expect(scheduled).toEqual([
    'task waits for its next attempt: number 2 with 100000000 bytes of memory, in 0 ms',
    'task waits for its next attempt: number 3 with 200000000 bytes of memory, in 0 ms',
  ]);
});

test('a factor for a limit that the task does not have is warned of', async () => {
  const daemon = await startDaemon();
  const { body } = await http(daemon.url).post('/api/v1/tasks', script('true', retry({ memory_factor: 2 })));
  expect(body.warnings).toEqual([
    'policy.retry.memory_factor is kept, and steers nothing: the task has no limits.memory_bytes that could be raised',
  ]);
});

test('the waits grow by the factor up to the longest', async () => {
  const daemon = await startDaemon();
  const waits = { max_attempts: 5, backoff_ms: 2, factor: 3, max_backoff_ms: 10 };
  const { task_id } = await submitAndWait(daemon, script('exit 1', retry(waits)));
  const { body } = await http(daemon.url).get(`/api/v1/tasks/${task_id}/events`);
  const delays = body.flatMap(({ event_type, data }: { event_type: string; data: { delay_ms: number } }) =>
    event_type === 'retry_scheduled' ? [data.delay_ms] : [],
  );
  expect(delays).toEqual([2, 6, 10, 10]);
});

test('what it may wait counts from when the next attempt is due', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const limits = { queue_timeout_ms: 300 };
  const id = await submit(
    daemon,
    script('exit 1', { limits, ...retry({ max_attempts: 2, backoff_ms: 1000 }) }),
  );
  await backingOff(daemon, id);
  // The back-off is longer than what it may wait, and is no such wait.
  await submit(daemon, script('sleep 600', { task_id: 'holds' }));
  expect(await waitForEnd(daemon, id)).toMatchObject({
    status: 'failed',
    cause: 'queue_timeout',
    attempt: 1,
    attempts: [{ cause: 'exit' }],
  });
  await http(daemon.url).post('/api/v1/tasks/holds/kill?grace_ms=0');
});

test('a replay of an idempotency key is the task itself, whichever attempt it is at', async () => {
  const daemon = await startDaemon();
  const request = script('exit 1', { ...retry(FOREVER), control_context: { idempotency_key: 'k' } });
  const id = await submit(daemon, request);
  await backingOff(daemon, id);
  expect(await submit(daemon, request)).toBe(id);
  const other = { ...request, ...retry({ ...FOREVER, max_attempts: 2 }) };
  expect((await http(daemon.url).post('/api/v1/tasks', other)).status).toBe(409);
});

test('an attempt can be paused, and what waits for another cannot', async () => {
  const daemon = await startDaemon();
  const gate = join(tempDir(), 'gate');
  const id = await submit(
    daemon,
    script(`echo up; until [ -e ${gate} ]; do sleep 0.02; done; exit 1`, retry(FOREVER)),
  );
  await waitFor(async () => (await statusOf(daemon, id)).stdout === 'up\n', { what: 'the start' });
  const turn = (what: string) => http(daemon.url).post(`/api/v1/tasks/${id}/${what}`);
  expect((await turn('pause')).body).toMatchObject({ paused: true });
  writeFileSync(gate, '');
  expect((await turn('resume')).status).toBe(200);
  expect(await backingOff(daemon, id)).not.toHaveProperty('paused');
  expect((await turn('pause')).body.error).toMatchObject({ code: 'conflict' });
});

/** The events of a stream until its end, those of the output as texts. */
async function streamOf(daemon: Daemon, id: string, query: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${daemon.url}/api/v1/tasks/${id}/output/stream?stream=stdout&${query}`, {
    headers,
  });
  const events = (await answer.text()).split('\n\n').flatMap((text) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
    return field('event') === ''
      ? []
      : [{ id: field('id'), event: field('event'), data: JSON.parse(field('data')) }];
  });
  return events.map(({ id, event, data }) => [id, event, data.data ?? data.attempt ?? data.status]);
}

test('a stream goes on from one attempt to the next until the task has ended, also when it was cut', async () => {
  const daemon = await startDaemon();
  const gate = join(tempDir(), 'gate');
  const body = `echo "attempt $EXECGO_ATTEMPT"; until [ -e ${gate} ]; do sleep 0.02; done; exit 1`;
  const id = await submit(daemon, script(body, retry()));
  const live = streamOf(daemon, id, '');
  await waitFor(async () => (await statusOf(daemon, id)).stdout !== '', { what: 'the first attempt' });
  writeFileSync(gate, '');
  const all = [
    ['10-0', 'stdout', 'attempt 1\n'],
    ['2:0-0', 'attempt', 2],
    ['2:10-0', 'stdout', 'attempt 2\n'],
    ['3:0-0', 'attempt', 3],
    ['3:10-0', 'stdout', 'attempt 3\n'],
    ['3:10-0', 'end', 'failed'],
  ];
  expect(await live).toEqual(all);
  expect(await streamOf(daemon, id, 'attempt=1')).toEqual(all);
  expect(await streamOf(daemon, id, '')).toEqual(all.slice(4));
  expect(await streamOf(daemon, id, 'attempt=2&offset=8')).toEqual([
    ['2:10-8', 'stdout', '2\n'],
    ...all.slice(3),
  ]);
  for (const [i, [last]] of all.slice(0, -1).entries())
    expect(await streamOf(daemon, id, '', { 'last-event-id': String(last) })).toEqual(all.slice(i + 1));
  for (const wrong of ['0:1-1', ':1-1', '1:1', 'x'])
    expect(
      (await fetch(`${daemon.url}/api/v1/tasks/${id}/output/stream`, { headers: { 'last-event-id': wrong } }))
        .status,
    ).toBe(400);
});

test('at the command line: retries, each output, and what became of each attempt', async () => {
  const daemon = await startDaemon();
  const at = (...args: string[]) => execgo(args, { daemon });
  const body = 'echo "out $EXECGO_ATTEMPT"; exit $((EXECGO_ATTEMPT < 3))';
  const run = await at('run', '--id', 't', '--retries', '2', '--retry-delay', '1ms', '--', 'sh', '-c', body);
  expect(run).toMatchObject({ code: 0, stdout: 'out 1\nout 2\nout 3\n' });
  expect(run.stderr).toBe('execgo: attempt 2 begins\nexecgo: attempt 3 begins\n');
  expect((await at('logs', 't')).stdout).toBe('out 3\n');
  expect((await at('logs', '--attempt', '1', 't')).stdout).toBe('out 1\n');
  expect((await at('logs', '--attempt', '2', '-f', 't')).stdout).toBe('out 2\nout 3\n');
  expect((await at('logs', '--attempt', '1', '--tail', '1', 't')).stdout).toBe('out 1\n');
  expect((await at('logs', '--attempt', '1', '--head-tail', 't')).stdout).toBe('out 1\n');
  const none = await at('logs', '--attempt', '4', 't');
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('has no attempt 4')]);
  const all = [
    ...['--retries', '4', '--retry-on', 'exit,oom', '--retry-exit-codes', '75,76', '--retry-delay', '2s'],
    ...['--retry-factor', '1.5', '--retry-max-delay', '1m', '--retry-memory-factor', '2', '--memory', '64M'],
  ];
  const id = (await at('submit', ...all, '--', 'true')).stdout.trim();
  expect((await http(daemon.url).get(`/api/v1/tasks/${id}/request`)).body.policy.retry).toEqual({
    ...{ max_attempts: 5, on: ['exit', 'oom'], exit_codes: [75, 76], backoff_ms: 2000 },
    ...{ factor: 1.5, max_backoff_ms: 60_000, memory_factor: 2 },
  });
  const waits = ['--retries', '1', '--retry-delay', '1h', '--', 'false'];
  const waiting = (await at('submit', ...waits)).stdout.trim();
  await backingOff(daemon, waiting);
  const explained = await at('explain', waiting);
  expect(explained.stdout).toContain('retry_backoff');
  expect(explained.stdout).toContain('attempt 1 of 2 has failed, and the next is not due yet');
  expect(explained.stdout).toMatch(/next attempt is due in \S+/);
  const wrong: [args: string[], message: string][] = [
    [['--retry-delay', '1s'], '--retry-delay goes with --retries'],
    [['--retries', '100'], '"100" is too often'],
    [['--retries', 'x'], '"x" is not a whole number'],
    [['--retries', '1', '--retry-factor', 'x'], '"x" is not a number'],
    [['--retries', '1', '--retry-delay', '5'], 'is not a duration'],
    [['--retries', '1', '--retry-exit-codes', '1,x'], '"x" is not a whole number'],
  ];
  for (const [args, message] of wrong) {
    const refused = await at('submit', ...args, '--', 'true');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(message)]);
  }
  const unknown = await at('submit', '--retries', '1', '--retry-on', 'whim', '--', 'true');
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('--retry-on: Invalid option')]);
});

describe('what is refused', () => {
  const cases: [retry: unknown, field: string][] = [
    ['twice', 'policy.retry'],
    [{ max_attempts: 2 }, 'policy.retry.backoff_ms'],
    [{ backoff_ms: 1 }, 'policy.retry.max_attempts'],
    [{ max_attempts: 0, backoff_ms: 1 }, 'policy.retry.max_attempts'],
    [{ max_attempts: 101, backoff_ms: 1 }, 'policy.retry.max_attempts'],
    [{ max_attempts: 2.5, backoff_ms: 1 }, 'policy.retry.max_attempts'],
    [{ max_attempts: 2, backoff_ms: -1 }, 'policy.retry.backoff_ms'],
    [{ max_attempts: 2, backoff_ms: 31_536_000_001 }, 'policy.retry.backoff_ms'],
    [{ max_attempts: 2, backoff_ms: 1, on: [] }, 'policy.retry.on'],
    [{ max_attempts: 2, backoff_ms: 1, on: ['cancelled'] }, 'policy.retry.on.0'],
    [{ max_attempts: 2, backoff_ms: 1, on: ['exit', 'queue_timeout'] }, 'policy.retry.on.1'],
    [{ max_attempts: 2, backoff_ms: 1, exit_codes: [] }, 'policy.retry.exit_codes'],
    [{ max_attempts: 2, backoff_ms: 1, exit_codes: [0] }, 'policy.retry.exit_codes.0'],
    [{ max_attempts: 2, backoff_ms: 1, exit_codes: [256] }, 'policy.retry.exit_codes.0'],
    [{ max_attempts: 2, backoff_ms: 1, on: ['oom'], exit_codes: [1] }, 'policy.retry.exit_codes'],
    [{ max_attempts: 2, backoff_ms: 1, factor: 0.5 }, 'policy.retry.factor'],
    [{ max_attempts: 2, backoff_ms: 1, factor: 101 }, 'policy.retry.factor'],
    [{ max_attempts: 2, backoff_ms: 2, max_backoff_ms: 1 }, 'policy.retry.max_backoff_ms'],
    [{ max_attempts: 2, backoff_ms: 1, memory_factor: 1 }, 'policy.retry.memory_factor'],
    [{ max_attempts: 2, backoff_ms: 1, memory_factor: 2, on: ['exit'] }, 'policy.retry.memory_factor'],
    [{ max_attempts: 2, backoff_ms: 1, memory_factor: 2, exit_codes: [1] }, 'policy.retry.memory_factor'],
  ];
  test('each with the name of its field', async () => {
    const daemon = await startDaemon();
    for (const [wrong, field] of cases) {
      const answer = await http(daemon.url).post(
        '/api/v1/tasks',
        script('true', { policy: { retry: wrong } }),
      );
      expect([answer.status, answer.body.error.message.split(': ')[1]]).toEqual([400, field]);
    }
  });
});
