import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SessionView, TaskView } from '../../src/client/index.js';
import { withDatabase } from '../faults/support.js';
import { type Daemon, http, script, startDaemon, submit, waitFor, waitForEnd } from '../harness/index.js';

const CONTEXT = { session_id: 's', tenant: 'acme', owner: 'ann', queue: 'q' };
const inS = (task_id: string, text: string) => script(text, { task_id, control_context: CONTEXT });

/** A daemon that is started again listens elsewhere. */
const asking = (daemon: Daemon) => ({
  get: <T>(path: string) => http(daemon.url).get<T>(path),
  post: (path: string, body?: unknown, headers = {}) => http(daemon.url).post(path, body, headers),
  remove: (path: string) => http(daemon.url).delete(path),
});

/** What somebody may have made of the request in a row. */
const BROKEN: [what: string, change: string][] = [
  ['is no JSON', `'{"execution'`],
  ['is another value', `'[]'`],
  ['is a blob', `x'00ff'`],
  ['has no limits', `json_remove(request_json, '$.limits')`],
  ['has lost what it says of the session', `json_remove(request_json, '$.control_context')`],
  ['is in a session that is no name', `json_set(request_json, '$.control_context.session_id', '../x')`],
];

test.each(BROKEN)('a task whose request %s counts for its session all the same', async (_what, change) => {
  const daemon = await startDaemon();
  const { get, post, remove } = asking(daemon);
  await post('/api/v1/sessions', { session_id: 's', tenant: 'acme' });
  const view = async () => (await get<SessionView>('/api/v1/sessions/s')).body;
  const go = join(daemon.dataDir, 'go');
  await submit(daemon, inS('runs', `echo began >f; while ! [ -e ${go} ]; do sleep 0.02; done`));
  await submit(daemon, inS('waits', 'true'));
  await submit(daemon, inS('last', '[ -e done ] && echo after'));
  await waitFor(() => existsSync(join(daemon.dataDir, 'sessions/s/workspace/f')), { what: 'its start' });
  await daemon.kill();
  withDatabase(daemon.dataDir, (db) => {
    db.exec(`UPDATE tasks SET request_json = ${change} WHERE task_id IN ('runs', 'waits')`);
  });
  await daemon.restart();
  const shown = (await get<TaskView>('/api/v1/tasks/runs')).body;
  expect(shown).toMatchObject({ ...{ tenant: 'acme', owner: 'ann', queue: 'q', session_id: 's' } });
  // It may not be killed by who could not before, and keeps its turn.
  expect((await post('/api/v1/tasks/runs/kill', undefined, { 'x-execgo-owner': 'eve' })).status).toBe(403);
  expect((await waitForEnd(daemon, 'waits')).status).toBe('failed');
  expect((await get<TaskView>('/api/v1/tasks/last')).body.waiting?.reason).toBe('session_busy');
  writeFileSync(join(daemon.dataDir, 'sessions/s/workspace/done'), '');
  writeFileSync(go, '');
  expect((await waitForEnd(daemon, 'runs')).status).toBe('success');
  expect(await waitForEnd(daemon, 'last')).toMatchObject({ status: 'success', stdout: 'after\n' });
  expect(await view()).toMatchObject({
    state: 'idle',
    counts: { accepted: 0, running: 0, success: 2, failed: 1, cancelled: 0 },
  });
  expect((await remove('/api/v1/sessions/s')).body).toEqual({ session_id: 's', deleted: true });
});

test('a task of an earlier session with the same name counts for none', async () => {
  const daemon = await startDaemon();
  const { get, post, remove } = asking(daemon);
  await post('/api/v1/sessions', { session_id: 's', tenant: 'acme' });
  await submit(daemon, inS('old', 'true'));
  await waitForEnd(daemon, 'old');
  await remove('/api/v1/sessions/s');
  await post('/api/v1/sessions', { session_id: 's', tenant: 'acme' });
  await daemon.kill();
  withDatabase(daemon.dataDir, (db) => {
    db.exec(`UPDATE tasks SET request_json = '[]' WHERE task_id = 'old'`);
  });
  await daemon.restart();
  expect((await get<TaskView>('/api/v1/tasks/old')).body).toMatchObject({
    tenant: 'acme',
    status: 'success',
  });
  expect((await get<SessionView>('/api/v1/sessions/s')).body).toMatchObject({
    state: 'idle',
    counts: { success: 0 },
  });
});
