import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
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

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/;

test('all of its fields after a success, and result.json is the same object', async () => {
  const daemon = await startDaemon();
  await http(daemon.url).post('/api/v1/sessions', { session_id: 's', tenant: 'acme' });
  const end = await submitAndWait(daemon, {
    task_id: 'whole',
    ...command('echo', ['hi']),
    metadata: { origin: 'test' },
    policy: { priority: 7 },
    control_context: {
      ...{ queue: 'q', lane: 'l', session_id: 's' },
      ...{ tenant: 'acme', owner: 'me', labels: { team: 'search' } },
    },
    limits: { cpu_time_sec: 9, stderr_keep_bytes: 5 },
  });
  expect(end).toMatchObject({
    task_id: 'whole',
    handle_id: 'whole',
    status: 'success',
    cause: 'exit',
    created_at: expect.stringMatching(TIME),
    updated_at: expect.stringMatching(TIME),
    started_at: expect.stringMatching(TIME),
    finished_at: expect.stringMatching(TIME),
    shim_pid: daemon.supervisorPid(),
    exit_code: 0,
    stdout: 'hi\n',
    stderr: '',
    stdout_truncated: false,
    stderr_truncated: false,
    stdout_bytes: 3,
    stderr_bytes: 0,
    kill_requested: false,
    queue: 'q',
    lane: 'l',
    session_id: 's',
    priority: 7,
    command: 'echo hi',
    cwd: `${daemon.dataDir}/sessions/s/workspace`,
    tenant: 'acme',
    owner: 'me',
    labels: { team: 'search' },
    limits: {
      ...{ wall_time_ms: 300_000, cpu_time_sec: 9, stdout_max_bytes: 4_194_304, stderr_max_bytes: 4_194_304 },
      ...{ stdout_keep_bytes: 67_108_864, stderr_keep_bytes: 5 },
    },
    reservation: { task_slots: 1 },
    metadata: { origin: 'test' },
  });
  expect(end.pgid).toBe(end.pid);
  expect(end.duration_ms).toBeGreaterThanOrEqual(0);
  expect(end.usage?.duration_ms).toBe(end.duration_ms);
  for (const absent of ['error', 'exit_signal', 'stdout_tail', 'stderr_tail'])
    expect(end).not.toHaveProperty(absent);
  const text = readFileSync(end.artifacts.result_path, 'utf8');
  expect(JSON.parse(text)).toEqual(end);
  expect(text).toContain('\n  "task_id": "whole"');
  expect(readdirSync(end.artifacts.task_dir).sort()).toEqual([
    'request.json',
    'result.json',
    'stderr.log',
    'stdout.log',
  ]);
});

test('while it runs: pids, a growing duration, what it has written so far', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const id = await submit(daemon, script('echo early; sleep 60'));
  const seen = await waitFor(
    async () => {
      const { body } = await api.get(`/api/v1/tasks/${id}`);
      return body.stdout === 'early\n' && body.pid !== undefined ? body : undefined;
    },
    { what: 'the first line' },
  );
  expect(seen).toMatchObject({ status: 'running', shim_pid: daemon.supervisorPid(), stdout_bytes: 6 });
  expect(seen.pid).toBeGreaterThan(1);
  await waitFor(async () => (await api.get(`/api/v1/tasks/${id}`)).body.duration_ms > seen.duration_ms, {
    what: 'a longer duration',
  });
  await api.post(`/api/v1/tasks/${id}/kill?wait_ms=30000`);
});

test('wait_ms answers at the end, or then as it is', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const quick = await submit(daemon, command('sleep', ['0.3']));
  expect((await api.get(`/api/v1/tasks/${quick}?wait_ms=60000`)).body.status).toBe('success');
  expect((await api.get(`/api/v1/tasks/${quick}?wait_ms=99999999`)).body.status).toBe('success');
  const slow = await submit(daemon, command('sleep', ['60']));
  expect((await api.get(`/api/v1/tasks/${slow}?wait_ms=50`)).body.status).toBe('running');
  for (const bad of ['-1', 'x', '1.5', ''])
    expect((await api.get(`/api/v1/tasks/${slow}?wait_ms=${bad}`)).body.error?.code, bad).toBe(
      'invalid_input',
    );
  await api.post(`/api/v1/tasks/${slow}/kill?wait_ms=30000`);
});

test('polled every 100 ms as the control plane does, no answer is anything but 200 and one of five words', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '2'] });
  const api = http(daemon.url);
  const ids = await Promise.all(
    ['0.3', '0.5', '0.1', '60'].map((s) => submit(daemon, command('sleep', [s]))),
  );
  const poll = async (id: string) => {
    const words: string[] = [];
    for (;;) {
      const { status, body } = await api.get(`/api/v1/tasks/${id}`);
      expect(status).toBe(200);
      words.push(body.status);
      if (!['accepted', 'running'].includes(body.status)) return words;
      if (id === ids[3] && words.length === 8) {
        expect((await api.post(`/api/v1/tasks/${id}/kill`)).status).toBe(200);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const words = await Promise.all(ids.map(poll));
  expect(words.map((w) => w.at(-1))).toEqual(['success', 'success', 'success', 'cancelled']);
  expect(new Set(words.flat())).toEqual(new Set(['accepted', 'running', 'success', 'cancelled']));
});

test('queue_timeout_ms ends what waits too long', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const busy = await submit(daemon, command('sleep', ['60']));
  const end = await submitAndWait(daemon, command('true', [], { limits: { queue_timeout_ms: 100 } }));
  expect(end).toMatchObject({ status: 'failed', cause: 'queue_timeout', error: { code: 'timeout' } });
  await http(daemon.url).post(`/api/v1/tasks/${busy}/kill`);
  await waitForEnd(daemon, busy);
});

test('output ranges, views and the list', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const { task_id: id } = await submitAndWait(daemon, script('seq 1 1000; echo oops >&2'));
  const range = (await api.get(`/api/v1/tasks/${id}/output?stream=stdout&offset=2&limit=4`)).body;
  expect(range).toMatchObject({ offset: 2, data: '2\n3\n', next_offset: 6, total_bytes: 3893, eof: false });
  const view = (await api.get(`/api/v1/tasks/${id}/output?view=head_tail&max_bytes=100&max_lines=6`)).body;
  expect(view.head.startsWith('1\n2\n3\n')).toBe(true);
  expect(view.tail.endsWith('999\n1000\n')).toBe(true);
  expect(view.omitted_bytes).toBe(3893 - view.head_bytes - view.tail_bytes);
  expect((await api.get(`/api/v1/tasks/${id}/output?stream=stderr`)).body).toMatchObject({
    data: 'oops\n',
    eof: true,
  });
  const list = (await api.get('/api/v1/tasks?status=success&limit=10')).body;
  expect(list.tasks).toEqual([
    expect.objectContaining({ task_id: id, status: 'success', command: expect.any(String) }),
  ]);
  expect((await api.get('/api/v1/tasks?status=failed')).body.tasks).toEqual([]);
  expect((await api.get('/api/v1/tasks?status=done')).body.error.code).toBe('invalid_input');
});

test('a follower sees each stream as it comes, and the end', async () => {
  const daemon = await startDaemon();
  const id = await submit(
    daemon,
    script('for i in 1 2 3; do echo $i; echo e$i >&2; sleep 0.1; done; exit 4'),
  );
  const { text } = await http(daemon.url).get(`/api/v1/tasks/${id}/output/stream`);
  const events = text.split('\n\n').map((e) => ({
    event: /^event: ?(.*)$/m.exec(e)?.[1],
    data: JSON.parse(/^data: ?(.*)$/m.exec(e)?.[1] ?? 'null'),
  }));
  const joined = (name: string) =>
    events
      .filter((e) => e.event === name)
      .map((e) => e.data.data)
      .join('');
  expect(joined('stdout')).toBe('1\n2\n3\n');
  expect(joined('stderr')).toBe('e1\ne2\ne3\n');
  expect(events.find((e) => e.event === 'end')?.data).toMatchObject({ status: 'failed', exit_code: 4 });
});

test('only the owner may delete, asked in the order of a kill, and the answer does not name the owner', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const owned = { control_context: { owner: 'alice' } };
  const runs = await submit(daemon, command('sleep', ['60'], owned));
  const ended = (await submitAndWait(daemon, command('true', [], owned))).task_id;
  const others: Record<string, string>[] = [{}, { 'x-execgo-owner': 'bob' }, { 'x-execgo-owner': '' }];
  for (const id of [runs, ended]) {
    for (const headers of others) {
      const refused = await api.delete(`/api/v1/tasks/${id}`, headers);
      expect(refused.status).toBe(403);
      const killed = await api.post(`/api/v1/tasks/${id}/kill`, undefined, headers);
      expect(refused.text).toBe(killed.text);
      expect(refused.text).not.toContain('alice');
    }
  }
  const alice = { 'x-execgo-owner': 'alice' };
  expect((await api.delete('/api/v1/tasks/nobody', alice)).status).toBe(404);
  expect((await api.delete(`/api/v1/tasks/${runs}`, alice)).status).toBe(409);
  expect((await api.delete(`/api/v1/tasks/${ended}`, alice)).status).toBe(200);
});

test('only a terminal task can be deleted, and then all of it is gone', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const id = await submit(daemon, command('sleep', ['60']));
  const refused = await api.delete(`/api/v1/tasks/${id}`);
  expect([refused.status, refused.body.error.code]).toEqual([409, 'conflict']);
  const { body } = await api.post(`/api/v1/tasks/${id}/kill?wait_ms=30000`);
  expect((await api.delete(`/api/v1/tasks/${id}`)).status).toBeLessThan(300);
  expect((await api.get(`/api/v1/tasks/${id}`)).status).toBe(404);
  expect((await api.get(`/api/v1/tasks/${id}/events`)).status).toBe(404);
  expect((await api.delete(`/api/v1/tasks/${id}`)).status).toBe(404);
  expect(readdirSync(`${daemon.dataDir}/tasks`)).toEqual([]);
  await waitFor(() => readdirSync(`${daemon.dataDir}/trash`).length === 0, { what: 'an empty trash' });
  expect(body.status).toBe('cancelled');
  expect((await submitAndWait(daemon, { task_id: id, ...command('echo', ['new']) })).stdout).toBe('new\n');
});
