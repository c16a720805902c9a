import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ExecgoClient } from '../../src/client/index.js';
import {
  command,
  eventTypes,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const output = async (daemon: { url: string }, id: string) =>
  (await http(daemon.url).get(`/api/v1/tasks/${id}`)).body.stdout as string;

test('an empty body without content type is enough, and exit 0 after it is still cancelled', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const id = await submit(daemon, script("trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done"));
  await waitFor(async () => (await output(daemon, id)) === 'up\n', { what: 'the trap' });
  const answer = await api.post(`/api/v1/tasks/${id}/kill`);
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ task_id: id, kill_requested: true });
  const end = await waitForEnd(daemon, id);
  expect(end).toMatchObject({
    status: 'cancelled',
    cause: 'cancelled',
    exit_code: 0,
    error: { code: 'cancelled', message: 'task cancelled' },
  });
  const again = await api.post(`/api/v1/tasks/${id}/kill`);
  expect([again.status, again.body]).toEqual([200, end]);
});

test('who ignores TERM is killed after the grace time', async () => {
  const daemon = await startDaemon({ flags: ['--termination-grace-ms', '300'] });
  const id = await submit(daemon, script("trap '' TERM; echo up; while :; do sleep 0.05; done"));
  await waitFor(async () => (await output(daemon, id)) === 'up\n', { what: 'the trap' });
  const answer = await http(daemon.url).post(`/api/v1/tasks/${id}/kill?wait_ms=30000`);
  expect(answer.body).toMatchObject({ status: 'cancelled', exit_signal: 9 });
});

test('another first signal and another grace time', async () => {
  const daemon = await startDaemon();
  const id = await submit(
    daemon,
    script("trap 'echo int; exit 7' INT; echo up; while :; do sleep 0.05; done"),
  );
  await waitFor(async () => (await output(daemon, id)) === 'up\n', { what: 'the trap' });
  const answer = await http(daemon.url).post(`/api/v1/tasks/${id}/kill?signal=2&wait_ms=30000`);
  expect(answer.body).toMatchObject({ status: 'cancelled', exit_code: 7, stdout: 'up\nint\n' });
  const stubborn = await submit(daemon, script("trap '' TERM; echo up; while :; do sleep 0.05; done"));
  await waitFor(async () => (await output(daemon, stubborn)) === 'up\n', { what: 'the trap' });
  const now = await http(daemon.url).post(`/api/v1/tasks/${stubborn}/kill?grace_ms=0&wait_ms=30000`);
  expect(now.body).toMatchObject({ status: 'cancelled', exit_signal: 9 });
});

test('only the owner may, also when it is over, and the answer does not name the owner', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const id = await submit(daemon, command('sleep', ['60'], { control_context: { owner: 'alice' } }));
  for (const headers of [{}, { 'x-execgo-owner': 'bob' }]) {
    const refused = await api.post(`/api/v1/tasks/${id}/kill`, undefined, headers as Record<string, string>);
    expect([refused.status, refused.body.error.code]).toEqual([403, 'permission_denied']);
    expect(refused.text).not.toContain('alice');
  }
  const own = await api.post(`/api/v1/tasks/${id}/kill?wait_ms=30000`, undefined, {
    'x-execgo-owner': 'alice',
  });
  expect(own.body.status).toBe('cancelled');
  expect((await api.post(`/api/v1/tasks/${id}/kill`)).status).toBe(403);
});

test('killed while waiting: at once, with a result', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const api = http(daemon.url);
  const busy = await submit(daemon, command('sleep', ['60']));
  const waiting = await submit(daemon, command('true'));
  const { body } = await api.post(`/api/v1/tasks/${waiting}/kill`);
  expect(body).toMatchObject({ status: 'cancelled', kill_requested: true, duration_ms: 0 });
  expect(JSON.parse(readFileSync(body.artifacts.result_path, 'utf8'))).toEqual(body);
  expect(existsSync(body.artifacts.stdout_path)).toBe(false);
  await api.post(`/api/v1/tasks/${busy}/kill?wait_ms=30000`);
});

test('many kills that race with the exit are never an error', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '8'] });
  const api = http(daemon.url);
  const ids = await Promise.all(Array.from({ length: 40 }, () => submit(daemon, command('true'))));
  const answers = await Promise.all(ids.map((id) => api.post(`/api/v1/tasks/${id}/kill`)));
  expect(new Set(answers.map((a) => a.status))).toEqual(new Set([200]));
  for (const id of ids) {
    const end = await waitForEnd(daemon, id);
    expect(end.status).toBe(end.kill_requested ? 'cancelled' : 'success');
  }
});

test('bad input', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  expect((await api.post('/api/v1/tasks/nobody/kill')).body.error).toEqual({
    code: 'not_found',
    message: 'task not found: nobody',
  });
  const { task_id } = await submitAndWait(daemon, command('true'));
  for (const query of [
    'signal=0',
    'signal=99',
    'signal=TERM',
    'grace_ms=-1',
    'grace_ms=86400001',
    'wait_ms=x',
  ])
    expect((await api.post(`/api/v1/tasks/${task_id}/kill?${query}`)).body.error?.code, query).toBe(
      'invalid_input',
    );
});

test('a kill with a signal that ends nothing leaves the wall time as it is', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const id = await submit(daemon, command('sleep', ['600'], { limits: { wall_time_ms: 1000 } }));
  const refused = await api.post(`/api/v1/tasks/${id}/kill?signal=18&grace_ms=9007199254740991`);
  expect(refused.body.error.message).toBe('invalid input: grace_ms: must be from 0 to 86400000');
  expect((await api.post(`/api/v1/tasks/${id}/kill?signal=18&grace_ms=86400000`)).status).toBe(200);
  expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'cancelled', exit_signal: 15 });
});

test('killed right after its submit: the start comes before the kill, or not at all', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '8'] });
  const api = http(daemon.url);
  const before = ['submitted', 'accepted', 'planned'];
  const orders = [
    [...before, 'kill_requested', 'cancelled'],
    [...before, 'resource_reserved', 'kill_requested', 'resource_released', 'cancelled'],
    [...before, 'resource_reserved', 'started', 'kill_requested', 'resource_released', 'cancelled'],
  ];
  const killAtOnce = async () => {
    const id = await submit(daemon, command('sleep', ['60']));
    expect((await api.post(`/api/v1/tasks/${id}/kill?wait_ms=30000`)).body.status).toBe('cancelled');
    expect(orders).toContainEqual(await eventTypes(daemon, id));
  };
  for (let i = 0; i < 10; i++) await killAtOnce();
  await Promise.all(Array.from({ length: 20 }, killAtOnce));
});

test.each([['名前'], [' x '], ['é']])('the owner %j can end and delete a task', async (owner) => {
  const daemon = await startDaemon();
  const id = await submit(daemon, { ...command('sleep', ['600']), control_context: { owner } });
  const client = new ExecgoClient({ server: daemon.url });
  await expect(client.kill(id, { owner: 'y' })).rejects.toThrow('does not match');
  expect(await client.kill(id, { owner, waitMs: 30_000 })).toMatchObject({ status: 'cancelled' });
  await client.delete(id, { owner });
  await expect(client.status(id)).rejects.toThrow('not found');
  client.close();
});

test('an owner that no header can carry is refused', async () => {
  const daemon = await startDaemon();
  const answer = await http(daemon.url).post('/api/v1/tasks', {
    ...command('true'),
    control_context: { owner: 'a\nb' },
  });
  expect([answer.status, answer.body.error.message]).toEqual([
    400,
    'invalid input: control_context.owner: must hold no control characters',
  ]);
});

test('text with half of a surrogate pair is refused', async () => {
  const daemon = await startDaemon();
  const body = JSON.stringify(command('echo', ['?'])).replace('?', String.raw`\ud800`);
  const answer = await http(daemon.url).post('/api/v1/tasks', body);
  expect(answer.status).toBe(400);
  expect(answer.body.error.message).toContain('must be well-formed Unicode');
  const whole = JSON.stringify(command('echo', ['?'])).replace('?', String.raw`\ud83d\ude00`);
  expect((await http(daemon.url).post('/api/v1/tasks', whole)).status).toBe(200);
});
