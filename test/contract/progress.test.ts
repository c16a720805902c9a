import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { EventView, TaskPage, TaskView } from '../../src/client/index.js';
import {
  type Daemon,
  EXECGO_IN_TASK,
  execgo,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
} from '../harness/index.js';
import { startTalker, told } from './talk.js';

const statusOf = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
const progressEvents = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<EventView[]>(`/api/v1/tasks/${id}/events`)).body.filter(
    ({ event_type }) => event_type === 'progress',
  );
const shown = (daemon: Daemon, id: string, percent: number) =>
  waitFor(async () => (await statusOf(daemon, id)).progress?.percent === percent, {
    what: `progress ${percent}`,
  });

test('status, list, what changed and the history show how far a task is', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  expect(await statusOf(daemon, id)).not.toHaveProperty('progress');
  const { version } = await statusOf(daemon, id);
  const first = await ask('POST', '/progress', { percent: 40.25, done: 4, total: 10, message: 'epoch 4' });
  expect([first.status, first.body]).toEqual([200, { task_id: id, written: true }]);
  const said = { percent: 40.25, done: 4, total: 10, message: 'epoch 4', at: expect.any(String) };
  expect((await statusOf(daemon, id)).progress).toEqual(said);
  const { body: list } = await http(daemon.url).get<TaskPage>('/api/v1/tasks');
  expect(list.tasks).toMatchObject([{ task_id: id, progress: said }]);
  const changed = await http(daemon.url).get<TaskPage>(`/api/v1/tasks?changed_after=${version}`);
  expect(changed.body.tasks).toMatchObject([{ task_id: id, progress: said }]);
  expect(await progressEvents(daemon, id)).toMatchObject([
    {
      type: 'task_progressed',
      message: 'the task says how far it is: 40.3 %, 4 of 10: epoch 4',
      data: { percent: 40.25, done: 4, total: 10, message: 'epoch 4' },
    },
  ]);
  // Each is whole: what it does not say is not known any more.
  await ask('POST', '/progress', { message: 'x' });
  await waitFor(async () => (await statusOf(daemon, id)).progress?.message === 'x', { what: 'the second' });
  expect((await statusOf(daemon, id)).progress).toEqual({ message: 'x', at: expect.any(String) });
});

test('of many within a second the newest is written, and the last before the end', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon, 'until [ -e go ]; do sleep 0.01; done');
  await ask('POST', '/progress', { percent: 1 });
  const answers = [];
  for (let percent = 2; percent <= 50; percent++)
    answers.push((await ask('POST', '/progress', { percent })).body.written);
  expect(answers).toContain(false);
  await shown(daemon, id, 50);
  expect((await progressEvents(daemon, id)).length).toBeLessThan(50);
  await ask('POST', '/progress', { percent: 98 });
  await ask('POST', '/progress', { percent: 99, message: 'nearly' });
  await http(daemon.url).request('PUT', `/api/v1/tasks/${id}/files/go`, {
    body: 'x',
    headers: { 'content-type': 'application/octet-stream' },
  });
  const end = await waitFor(
    async () => {
      const task = await statusOf(daemon, id);
      return task.status === 'success' ? task : undefined;
    },
    { what: 'the end' },
  );
  expect(end.progress).toMatchObject({ percent: 99, message: 'nearly' });
  const { body: events } = await http(daemon.url).get<EventView[]>(`/api/v1/tasks/${id}/events`);
  expect(events.at(-1)?.event_type).toBe('finished');
  expect(events.filter(({ event_type }) => event_type === 'progress').at(-1)?.data).toEqual({
    percent: 99,
    message: 'nearly',
  });
});

test('a task that says it once and ends at once has said it', async () => {
  const daemon = await startDaemon();
  const end = await submitAndWait(
    daemon,
    script(`${EXECGO_IN_TASK} progress 10; ${EXECGO_IN_TASK} progress --done 9 --total 10 "nearly there"`),
  );
  expect([end.stderr, end.status, end.progress]).toMatchObject([
    ...['', 'success'],
    { done: 9, total: 10, message: 'nearly there' },
  ]);
});

test('it outlives the daemon, and the next attempt begins without', async () => {
  const daemon = await startDaemon();
  const policy = { retry: { max_attempts: 2, backoff_ms: 0 } };
  const { id, ask, token } = await startTalker(
    daemon,
    'until [ -e go ]; do sleep 0.01; done; rm go; exit 1',
    {
      policy,
    },
  );
  await ask('POST', '/progress', { percent: 10 });
  await ask('POST', '/progress', { percent: 20 });
  // A daemon that stops writes what is not written.
  await daemon.restart();
  expect((await statusOf(daemon, id)).progress?.percent).toBe(20);
  await daemon.kill();
  await daemon.restart();
  expect((await statusOf(daemon, id)).progress?.percent).toBe(20);
  expect((await ask('POST', '/progress', { percent: 30 })).body.written).toBe(true);
  await http(daemon.url).request('PUT', `/api/v1/tasks/${id}/files/go`, {
    body: 'x',
    headers: { 'content-type': 'application/octet-stream' },
  });
  let second = await told(daemon, id);
  while (second.token === token) second = await told(daemon, id);
  expect(await statusOf(daemon, id)).not.toHaveProperty('progress');
  await second.ask('POST', '/progress', { percent: 5 });
  expect((await statusOf(daemon, id)).progress?.percent).toBe(5);
});

test('what is not understood is refused, by the socket and by the command line', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  for (const [body, problem] of [
    [{}, 'says nothing'],
    [{ percent: null }, 'says nothing'],
    [{ percent: 101 }, 'percent: must be at most 100'],
    [{ percent: -1 }, 'percent: must be at least 0'],
    [{ percent: '40' }, 'percent'],
    [{ done: -1 }, 'done'],
    [{ total: true }, 'total'],
    [{ message: 'x'.repeat(501) }, 'message: must have at most 500 characters'],
    [{ message: 'a\u0000' }, 'NUL'],
    [{ pct: 40 }, 'has no field "pct"'],
    [[], 'body'],
    ['{"percent":1e999}', 'percent'],
  ] as const) {
    const answer = await ask('POST', '/progress', body);
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(problem)]);
  }
  expect((await ask('POST', '/progress')).status).toBe(415);
  expect((await ask('POST', '/progress', { message: 'x'.repeat(5_000) })).status).toBe(413);
  expect(await statusOf(daemon, id)).not.toHaveProperty('progress');
  for (const [args, problem] of [
    [['progress'], 'say how far it is'],
    [['progress', '-'], 'say how far it is'],
    [['progress', '40'], 'are not set'],
    [['progress', 'x', 'y'], '"x" is not a number'],
    [['progress', '--done', 'x'], '"x" is not a number'],
    ...['NaN', 'nan%', 'inf', 'Infinity'].map((none) => [['progress', none], 'is not a number'] as const),
  ] as const) {
    const { code, stderr } = await execgo([...args], { daemon });
    expect([code, stderr]).toEqual([2, expect.stringContaining(problem)]);
  }
  const task = await submitAndWait(daemon, script(`${EXECGO_IN_TASK} progress 400`));
  expect([task.exit_code, task.stderr]).toEqual([1, expect.stringContaining('percent: must be at most 100')]);
});

test('a task that says it without end is in nobody’s way, and its history stays short', async () => {
  const daemon = await startDaemon();
  const flood = await startTalker(daemon);
  let says = true;
  let count = 0;
  const saying = Array.from({ length: 10 }, async () => {
    while (says) {
      count++;
      const { status } = await flood.ask('POST', '/progress', {
        percent: count % 100,
        message: 'x'.repeat(500),
      });
      expect([200, 429]).toContain(status);
    }
  });
  await waitFor(() => count > 300, { what: 'a flood' });
  const other = await submit(daemon, script('true'));
  expect((await http(daemon.url).get(`/api/v1/tasks/${other}?wait_ms=20000`)).body.status).toBe('success');
  says = false;
  await Promise.all(saying);
  expect((await progressEvents(daemon, flood.id)).length).toBeLessThan(count / 5);
});

test('the longest words are taken however they are written, and are cut between characters in a table', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  const words = `${'x'.repeat(30)}${'\u{1f600}'.repeat(235)}`;
  const escaped = words.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const body = `{"message":"${escaped.join('')}"}`;
  expect((await ask('POST', '/progress', body)).status).toBe(200);
  expect((await statusOf(daemon, id)).progress?.message).toBe(words);
  await ask('POST', '/progress', { done: 1e300, total: 1.7e308 });
  await waitFor(async () => (await statusOf(daemon, id)).progress?.done === 1e300, { what: 'large numbers' });
  const { body: events } = await http(daemon.url).get<EventView[]>(`/api/v1/tasks/${id}/events`);
  for (const { message } of events) expect(message).not.toContain('Infinity');
});

test('what an odd database says of it is shown only where a task could have said it', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '20'] });
  const said = [
    ...[{ percent: 101 }, { percent: -1 }, { percent: '5' }, { done: -5 }, { total: -1 }, { message: 5 }],
    ...[{ message: 'x'.repeat(501) }, { percent: 5, at_ms: 8.64e15 + 1 }, { percent: 5 }],
  ];
  const ids = await Promise.all(said.map(() => submit(daemon, script('exec sleep 600'))));
  for (const id of ids)
    await waitFor(async () => (await statusOf(daemon, id)).status === 'running', {
      what: `the start of ${id}`,
    });
  await daemon.stop();
  const db = new Database(join(daemon.dataDir, 'runtime.db'));
  const write = db.prepare('UPDATE tasks SET progress_json = ? WHERE task_id = ?');
  for (const [i, odd] of said.entries()) write.run(JSON.stringify({ at_ms: 1, ...odd }), ids[i]);
  db.close();
  await daemon.restart();
  const shown = await Promise.all(ids.map(async (id) => (await statusOf(daemon, id)).progress?.percent));
  expect(shown).toEqual([...Array.from({ length: 8 }, () => undefined), 5]);
  const [first = ''] = ids;
  expect(await statusOf(daemon, first)).not.toHaveProperty('progress');
});
