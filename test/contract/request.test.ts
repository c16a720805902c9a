import Database from 'better-sqlite3';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command, execgo, http, startDaemon, submitAndWait } from '../harness/index.js';

const SENT = {
  task_id: 'asked',
  execution: { kind: 'command', program: 'true', args: null, env: { SECRET: 'x\u202e' }, shell: 'zsh' },
  limits: { wall_time_ms: 5000 },
  future: [{ a: null }],
};

test('the request of a task is answered as it was sent, also after a restart', async () => {
  const daemon = await startDaemon();
  const path = '/api/v1/tasks/asked/request';
  const api = () => http(daemon.url);
  await submitAndWait(daemon, SENT);
  const answer = await api().get(path);
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json']);
  expect(answer.body).toEqual(SENT);
  await daemon.restart();
  expect((await api().get(path)).text).toBe(answer.text);
  const [item] = (await api().post('/api/v1/tasks/batch', { tasks: [{ ...SENT, task_id: 'in-batch' }] }))
    .body;
  expect((await api().get(`/api/v1/tasks/${item.task_id}/request`)).body).toEqual({
    ...SENT,
    task_id: 'in-batch',
  });
  const unnamed = await submitAndWait(daemon, command('true'));
  expect((await api().get(`/api/v1/tasks/${unnamed.task_id}/request`)).body).toEqual(command('true'));
  expect((await api().get('/api/v1/tasks/nobody/request')).body.error.code).toBe('not_found');
  expect((await api().post(path)).status).toBe(405);
});

test('a task of an earlier version answers with the request as it was accepted', async () => {
  const daemon = await startDaemon();
  const end = await submitAndWait(daemon, { task_id: 'old', ...command('true', ['x']) });
  await daemon.stop();
  const db = new Database(join(daemon.dataDir, 'runtime.db'));
  db.exec('UPDATE tasks SET sent_json = NULL');
  db.close();
  await daemon.restart();
  const { body } = await http(daemon.url).get('/api/v1/tasks/old/request');
  expect(body).toMatchObject({
    task_id: 'old',
    execution: { kind: 'command', program: 'true', args: ['x'], env: {} },
    limits: { wall_time_ms: 300_000 },
  });
  expect(body.limits).toEqual(end.limits);
});

test('what the command line shows of a request can be submitted again', async () => {
  const daemon = await startDaemon();
  await submitAndWait(daemon, SENT);
  const shown = await execgo(['request', 'asked'], { daemon });
  expect([shown.code, JSON.parse(shown.stdout)]).toEqual([0, SENT]);
  const again = shown.stdout.replace('"asked"', '"again"');
  expect((await execgo(['submit', '--file', '-'], { daemon, input: again })).code).toBe(0);
  expect((await execgo(['request', 'nobody'], { daemon })).stderr).toContain('task not found: nobody');
});
