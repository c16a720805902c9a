import { describe, expect, test } from 'vitest';
import { http } from '../harness/http.js';
import { ExecgoError } from '../../src/task/errors.js';
import { examples } from '../../src/task/examples.js';
import { openSse, serve } from './serve.js';

const request = { execution: { kind: 'command', program: 'true' } };

describe('submit', () => {
  test('answers 200 with the task id', async () => {
    const { url } = await serve();
    const answer = await http(url).post('/api/v1/tasks', { ...request, task_id: 'a' });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ task_id: 'a', handle_id: 'a', status: 'accepted' });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.headers).not.toHaveProperty('x-powered-by');
    expect(answer.headers).not.toHaveProperty('etag');
  });

  test('names unknown fields and refuses bad ones by name', async () => {
    const { post } = http((await serve()).url);
    expect((await post('/api/v1/tasks', { ...request, nonsense: 1 })).body.warnings).toEqual([
      'unknown field nonsense was ignored',
    ]);
    const bad = await post('/api/v1/tasks', { execution: { kind: 'command' } });
    expect(bad.status).toBe(400);
    expect(bad.body.error).toMatchObject({
      code: 'invalid_input',
      message: 'invalid input: execution.program: is required for kind "command"',
    });
  });

  test('dry_run accepts nothing', async () => {
    const { url, service } = await serve();
    const { post } = http(url);
    expect((await post('/api/v1/tasks?dry_run=true', request)).body).toHaveProperty('plan.degraded', false);
    expect(service.tasks.size).toBe(0);
    expect((await post('/api/v1/tasks?dry_run=yes', request)).body.error.message).toContain('dry_run');
    expect((await post('/api/v1/tasks?dry_run=false', request)).body.status).toBe('accepted');
  });

  test('a batch gets an answer for each item', async () => {
    const { url } = await serve();
    const answer = await http(url).post('/api/v1/tasks/batch', { tasks: [{ ...request, task_id: 'a' }, {}] });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject([{ task_id: 'a' }, { error: { code: 'invalid_input' } }]);
  });
});

describe('status', () => {
  test('is written as it was encoded', async () => {
    const { url, service } = await serve();
    service.add('a', { status: 'success', stdout: Buffer.from('é\n') });
    const answer = await http(url).get('/api/v1/tasks/a');
    expect(answer.body).toMatchObject({ task_id: 'a', status: 'success', stdout: 'é\n' });
    expect(Number(answer.headers['content-length'])).toBe(Buffer.byteLength(answer.text));
    expect(service.asked['status']).toEqual(['a', 0]);
  });

  test('waits until the task is terminal', async () => {
    const { url, service } = await serve();
    service.add('a');
    const waiting = http(url).get('/api/v1/tasks/a?wait_ms=20000');
    await expect.poll(() => service.waiting).toBe(1);
    service.finish('a');
    expect((await waiting).body.status).toBe('success');
  });

  test('a wait that is too long is clamped', async () => {
    const { url, service } = await serve();
    service.add('a', { status: 'success' });
    for (const given of ['60001', '9'.repeat(400)]) {
      await http(url).get(`/api/v1/tasks/a?wait_ms=${given}`);
      expect(service.asked['status']).toEqual(['a', 60_000]);
    }
  });

  test.each(['-1', 'x', '', '1.5', '1e3', '0x10', ' 1', '1&wait_ms=2'])(
    'wait_ms=%s is refused',
    async (value) => {
      const { url, service } = await serve();
      service.add('a');
      const answer = await http(url).get(`/api/v1/tasks/a?wait_ms=${value}`);
      expect(answer.status).toBe(400);
      expect(answer.body.error.code).toBe('invalid_input');
      expect(answer.body.error.message).toMatch(/^invalid input: wait_ms: must be /);
    },
  );

  test('an unknown task is not found, whatever its id', async () => {
    const { get } = http((await serve()).url);
    expect((await get('/api/v1/tasks/none')).body).toEqual({
      error: { code: 'not_found', message: 'task not found: none' },
    });
    for (const id of ['..%2f..%2fetc', '%00', 'a%20b', '%E2%82%AC', 'x'.repeat(200)])
      expect((await get(`/api/v1/tasks/${id}`)).status).toBe(404);
    expect((await get('/api/v1/tasks/%zz')).body.error.code).toBe('invalid_input');
  });

  test('a client that goes away ends its wait', async () => {
    const { url, service } = await serve();
    service.add('a');
    const controller = new AbortController();
    const gone = fetch(`${url}/api/v1/tasks/a?wait_ms=60000`, { signal: controller.signal });
    await expect.poll(() => service.waiting).toBe(1);
    controller.abort();
    await expect(gone).rejects.toThrow();
    await expect.poll(() => service.waiting).toBe(0);
  });
});

describe.each(['pause', 'resume'])('%s', (what) => {
  test('needs no body, and passes the owner on', async () => {
    const { url, service } = await serve();
    service.add('a');
    const answer = await http(url).post(`/api/v1/tasks/a/${what}`, undefined, { 'x-execgo-owner': 'me' });
    expect([answer.status, answer.body.status]).toEqual([200, 'running']);
    expect(service.asked[what]).toEqual(['a', { owner: 'me', wait_ms: 10_000 }]);
    const typed = await http(url).post(`/api/v1/tasks/a/${what}`, '', { 'content-type': 'text/plain' });
    expect(typed.status).toBe(200);
  });

  test('answers what cannot be with 404, 405 and 409', async () => {
    const { url, service } = await serve();
    service.add('over', { status: 'success' });
    const over = await http(url).post(`/api/v1/tasks/over/${what}`);
    expect([over.status, over.body.error.code]).toEqual([409, 'conflict']);
    expect((await http(url).post(`/api/v1/tasks/nobody/${what}`)).status).toBe(404);
    expect((await http(url).get(`/api/v1/tasks/over/${what}`)).status).toBe(405);
  });
});

describe('schedules', () => {
  test('pass on names, bodies and owners', async () => {
    const { url, service } = await serve();
    const api = http(url);
    const me = { 'x-execgo-owner': 'me' };
    expect((await api.post('/api/v1/schedules', { name: 'x' })).body.name).toBe('nightly');
    expect((await api.get('/api/v1/schedules?limit=3&cursor=c')).body.next_cursor).toBe('next');
    expect((await api.get('/api/v1/schedules/a%2Fb')).body.name).toBe('a/b');
    await api.request('PATCH', '/api/v1/schedules/s', { body: { paused: true }, headers: me });
    expect((await api.post('/api/v1/schedules/s/run', undefined, me)).body.task_id).toBe('s');
    expect((await api.request('DELETE', '/api/v1/schedules/s', { headers: me })).body).toEqual({
      ...{ name: 's', deleted: true },
    });
    expect(service.asked).toMatchObject({
      makeSchedule: [{ name: 'x' }],
      schedules: [{ limit: 3, cursor: 'c' }],
      editSchedule: ['s', { paused: true }, 'me'],
      runSchedule: ['s', 'me'],
      deleteSchedule: ['s', 'me'],
    });
  });

  test('answer what cannot be with 400, 404, 405 and 415', async () => {
    const { url } = await serve();
    const api = http(url);
    expect((await api.get('/api/v1/schedules?limit=0')).status).toBe(400);
    expect((await api.get('/api/v1/schedules/nobody')).status).toBe(404);
    expect((await api.post('/api/v1/schedules/s', {})).status).toBe(405);
    expect((await api.post('/api/v1/schedules', undefined)).status).toBe(415);
  });
});

describe('release', () => {
  test('needs no body, passes the owner on, and is only asked by POST', async () => {
    const { url, service } = await serve();
    service.add('a');
    const answer = await http(url).post('/api/v1/tasks/a/release', undefined, { 'x-execgo-owner': 'me' });
    expect([answer.status, service.asked['release']]).toEqual([200, ['a', 'me']]);
    expect((await http(url).post('/api/v1/tasks/nobody/release')).status).toBe(404);
    expect((await http(url).get('/api/v1/tasks/a/release')).status).toBe(405);
  });
});

describe('kill', () => {
  test('needs neither body nor content type', async () => {
    const { url, service } = await serve();
    service.add('a');
    expect((await http(url).post('/api/v1/tasks/a/kill')).body.status).toBe('cancelled');
    const { wait_ms, ...rest } = service.asked['kill']?.[1] as Record<string, unknown>;
    expect(wait_ms).toBe(0);
    expect(rest).toEqual({});
  });

  test('an empty body of any type will do', async () => {
    const { url, service } = await serve();
    service.add('a');
    for (const type of ['text/plain', 'application/json', 'application/x-www-form-urlencoded']) {
      const answer = await http(url).post('/api/v1/tasks/a/kill', '', { 'content-type': type });
      expect(answer.status).toBe(200);
    }
  });

  test('passes owner, signal and times on', async () => {
    const { url, service } = await serve();
    service.add('owned', { status: 'success' });
    const path = '/api/v1/tasks/owned/kill?signal=2&grace_ms=10&wait_ms=20';
    expect((await http(url).post(path)).status).toBe(403);
    expect((await http(url).post(path, undefined, { 'x-execgo-owner': 'me' })).status).toBe(200);
    expect(service.asked['kill']?.[1]).toEqual({ owner: 'me', signal: 2, grace_ms: 10, wait_ms: 20 });
    expect((await http(url).post('/api/v1/tasks/owned/kill?signal=65')).body.error.message).toBe(
      'invalid input: signal: must be from 1 to 64',
    );
  });
});

describe('list', () => {
  test('reads every condition', async () => {
    const { url, service } = await serve();
    const answer = await http(url).get(
      '/api/v1/tasks?status=running,accepted&status=failed&cause=oom&tenant=t&owner=o&queue=q&lane=l&session_id=s' +
        '&label=k%3Dv&text=a%20b&order=oldest&limit=7&cursor=c&unknown=1',
    );
    expect(answer.body).toEqual({ tasks: [], next_cursor: 'next' });
    expect(service.asked['list']).toEqual([
      {
        status: ['running', 'accepted', 'failed'],
        cause: 'oom',
        tenant: 't',
        owner: 'o',
        queue: 'q',
        lane: 'l',
        session_id: 's',
        label: 'k=v',
        text: 'a b',
        order: 'oldest',
        limit: 7,
        cursor: 'c',
      },
    ]);
  });

  test('has defaults', async () => {
    const { url, service } = await serve();
    await http(url).get('/api/v1/tasks');
    expect(service.asked['list']).toEqual([{ order: 'newest', limit: 100 }]);
  });

  test.each([
    ['status=done', 'status'],
    ['created_after=1772359200000', 'created_after'],
    ['finished_before=2026-03-01', 'finished_before'],
    ['finished_before=2026-02-30T00:00:00Z', 'finished_before'],
    ['created_before=', 'created_before'],
    ['reverse=1', 'reverse'],
    ['fields=', 'fields'],
    ['fields=status,stdout', 'fields'],
    ['wait_ms=5', 'wait_ms: goes with changed_after only'],
    ['order=priority&status=failed', 'order: priority is for tasks that wait'],
    ['order=finished&status=running', 'order: finished is for tasks that have ended'],
    ['changed_after=-1', 'changed_after'],
    ['changed_after=1&changed_after=2', 'changed_after'],
    ['changed_after=1&status=failed', 'status: does not go with changed_after'],
    ['changed_after=1&order=newest', 'order: does not go with changed_after'],
    ['changed_after=1&queue=q', 'queue: does not go with changed_after'],
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['order=random', 'order'],
    ['cause=bad', 'cause'],
    ['tenant=', 'tenant'],
    ['owner=a&owner=b', 'owner'],
  ])('%s is refused', async (search, field) => {
    const answer = await http((await serve()).url).get(`/api/v1/tasks?${search}`);
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toMatch(new RegExp(`^invalid input: ${field}`));
  });
});

test('a list shows the fields that are asked for, and reads times with any offset', async () => {
  const { url, service } = await serve();
  service.listed = examples.ChangesPage!.tasks;
  const { get } = http(url);
  const some = await get('/api/v1/tasks?fields=status,command,cause');
  expect(some.body.tasks).toEqual([{ task_id: 'build-18', status: 'accepted', command: 'make test' }]);
  for (const at of ['2026-03-01T11:00:00%2B01:00', '2026-03-01T11:00:00+01:00', '2026-03-01T10:00:00.000Z']) {
    await get(`/api/v1/tasks?created_before=${at}&created_after=2026-03-01T00:00:00Z`);
    expect(service.asked['list']).toMatchObject([
      { created_after: 1_772_323_200_000, created_before: 1_772_359_200_000, order: 'created' },
    ]);
  }
  await get('/api/v1/tasks?finished_after=2026-03-01T00:00:00Z&reverse=true');
  expect(service.asked['list']).toMatchObject([{ order: 'finished', reverse: true }]);
  await get('/api/v1/tasks?finished_after=2026-03-01T00:00:00Z&order=oldest');
  expect(service.asked['list']).toMatchObject([{ order: 'oldest', finished_after: 1_772_323_200_000 }]);
});

describe('what changed', () => {
  test('is asked for by version, with what cannot change of a task', async () => {
    const { url, service } = await serve();
    const { get } = http(url);
    const all = await get('/api/v1/tasks?changed_after=7&tenant=t&owner=o&session_id=s&limit=3&cursor=c');
    expect(all.body).toEqual(examples.ChangesPage);
    const asked = { tenant: 't', owner: 'o', session_id: 's', changed_after: 7, limit: 3, cursor: 'c' };
    expect(service.asked['changes']).toEqual([asked, 0]);
    const some = await get('/api/v1/tasks?changed_after=7&fields=version');
    expect(some.body).toEqual({
      ...examples.ChangesPage,
      tasks: [{ task_id: 'build-18', version: 4713 }],
    });
  });

  test('is awaited, and a client that goes away ends that', async () => {
    const { url, service } = await serve();
    const waiting = http(url).get('/api/v1/tasks?changed_after=0&wait_ms=20000');
    await expect.poll(() => service.waiting).toBe(1);
    service.happen('a');
    expect((await waiting).body.version).toBe(4713);
    const controller = new AbortController();
    const gone = fetch(`${url}/api/v1/tasks?changed_after=9&wait_ms=60000`, { signal: controller.signal });
    await expect.poll(() => service.waiting).toBe(1);
    controller.abort();
    await expect(gone).rejects.toThrow();
    await expect.poll(() => service.waiting).toBe(0);
  });

  test('who comes too late is told so', async () => {
    const { url, service } = await serve();
    service.failure = new ExecgoError('gone', 'gone: too late', { oldest_version: 5 });
    const answer = await http(url).get('/api/v1/tasks?changed_after=1');
    expect([answer.status, answer.body.error.code]).toEqual([410, 'gone']);
  });
});

describe('a wait for several tasks', () => {
  test('names them in one go, each once', async () => {
    const { url, service } = await serve();
    for (const id of ['a', 'b', 'c']) service.add(id);
    service.finish('b');
    const answer = await http(url).get('/api/v1/wait?ids=a,b,a&ids=c&mode=any');
    expect(answer.body).toMatchObject({ mode: 'any', met: true });
    expect(answer.body.tasks.map((task: { task_id: string }) => task.task_id)).toEqual(['a', 'b', 'c']);
    const all = await http(url).get('/api/v1/wait?ids=a,b');
    expect(all.body).toMatchObject({ mode: 'all', met: false });
    expect(service.asked['wait']).toEqual([['a', 'b'], 'all', 0]);
  });

  test('is over when one of them, or each, has ended', async () => {
    const { url, service } = await serve();
    for (const id of ['a', 'b']) service.add(id);
    const any = http(url).get('/api/v1/wait?ids=a,b&mode=any&wait_ms=20000');
    const all = http(url).get('/api/v1/wait?ids=a,b&wait_ms=20000');
    await expect.poll(() => service.waiting).toBe(2);
    service.finish('a');
    expect((await any).body.met).toBe(true);
    service.finish('b');
    expect((await all).body.met).toBe(true);
  });

  test.each([
    ['', 'ids'],
    ['ids=', 'ids'],
    ['ids=a,,b', 'ids'],
    [`ids=${Array.from({ length: 1001 }, (_, i) => i).join(',')}`, 'ids: must be at most 1000 ids'],
    ['ids=a&mode=some', 'mode'],
    ['ids=a&wait_ms=soon', 'wait_ms'],
  ])('%.20s is refused', async (search, field) => {
    const { url, service } = await serve();
    service.add('a');
    const answer = await http(url).get(`/api/v1/wait?${search}`);
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toMatch(new RegExp(`^invalid input: ${field}`));
  });

  test('finds no task that there is not', async () => {
    const { url, service } = await serve();
    service.add('a');
    const answer = await http(url).get('/api/v1/wait?ids=a,nobody');
    expect([answer.status, answer.body.error.message]).toEqual([404, 'task not found: nobody']);
  });
});

test('a snapshot is of all, or of one queue', async () => {
  const { url, service } = await serve();
  const { get } = http(url);
  expect((await get('/api/v1/snapshot')).body).toEqual(examples.Snapshot);
  expect((await get('/api/v1/snapshot?queue=a%20b')).body.queue).toBe('a b');
  expect(service.asked['snapshot']).toEqual(['a b']);
  for (const query of ['queue=', 'queue=a&queue=b'])
    expect((await get(`/api/v1/snapshot?${query}`)).body.error.message).toContain('invalid input: queue');
});

describe('events by conditions', () => {
  test('are a page that says how far was looked', async () => {
    const { url, service } = await serve();
    for (const type of ['started', 'failed', 'started']) service.happen('a', type);
    const some = await http(url).get(
      '/api/v1/events?event_type=failed,cancelled&event_type=finished&tenant=t&queue=q&session_id=s&label=k%3Dv&after_seq=1&limit=5',
    );
    expect(some.body).toMatchObject({ events: [{ seq: 2, event_type: 'failed' }], last_seq: 2 });
    const filter = { tenant: 't', queue: 'q', session_id: 's', label: 'k=v' };
    expect(service.asked['eventsWhere']).toEqual([
      { ...filter, event_type: ['failed', 'cancelled', 'finished'] },
      1,
      5,
      0,
    ]);
    const none = await http(url).get('/api/v1/events?event_type=cancelled');
    expect(none.body).toEqual({ events: [], last_seq: 3 });
  });

  test.each([
    ['event_type=fail', 'event_type'],
    ['event_type=', 'event_type'],
    ['tenant=', 'tenant'],
    ['queue=a&queue=b', 'queue'],
    ['label=', 'label'],
  ])('%s is refused', async (search, field) => {
    const answer = await http((await serve()).url).get(`/api/v1/events?${search}`);
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toMatch(new RegExp(`^invalid input: ${field}`));
  });

  test('come as a stream, too, which says how far was looked', async () => {
    const { url, service } = await serve();
    service.happen('a');
    const reader = await openSse(`${url}/api/v1/events?after_seq=0&event_type=failed`);
    await expect.poll(() => service.waiting).toBe(1);
    service.happen('a');
    service.happen('a', 'failed');
    expect((await reader.next())?.data).toMatchObject({ seq: 3, event_type: 'failed' });
    reader.close();
  });
});

describe('events of a task', () => {
  test('all of them, or some', async () => {
    const { url, service } = await serve();
    service.add('a');
    for (const id of ['a', 'b', 'a', 'a']) service.happen(id);
    const { get } = http(url);
    const seqs = async (search: string) =>
      (await get(`/api/v1/tasks/a/events${search}`)).body.map((e: { seq: number }) => e.seq);
    expect(await seqs('')).toEqual([1, 3, 4]);
    expect(await seqs('?after_seq=1&limit=1')).toEqual([3]);
    expect(await seqs('?limit=0')).toEqual([]);
    expect((await get('/api/v1/tasks/b/events')).status).toBe(404);
    expect((await get('/api/v1/tasks/a/events?after_seq=9007199254740993')).body.error.message).toContain(
      'after_seq',
    );
  });
});

describe('delete', () => {
  test('a terminal task only', async () => {
    const { url, service } = await serve();
    const client = http(url);
    service.add('a');
    expect((await client.delete('/api/v1/tasks/a')).status).toBe(409);
    service.finish('a');
    const deleted = await client.delete('/api/v1/tasks/a', { 'x-execgo-owner': 'ann' });
    expect(deleted.body).toEqual({ task_id: 'a', deleted: true });
    expect(service.asked['deleteTask']).toEqual(['a', 'ann']);
    expect((await client.delete('/api/v1/tasks/a')).status).toBe(404);
  });
});

describe('the runtime', () => {
  test.each(['info', 'capabilities', 'config', 'resources'])('answers %s', async (name) => {
    const answer = await http((await serve()).url).get(`/api/v1/runtime/${name}`);
    expect(answer.body).toHaveProperty('runtime_id', 'fake');
  });

  test('answers health, readiness and metrics', async () => {
    const { url, service } = await serve();
    const { get } = http(url);
    expect((await get('/healthz')).body).toEqual({ status: 'ok', version: '1.2.3' });
    const parts = examples.Readiness;
    expect((await get('/readyz')).body).toEqual({ status: 'ready', version: '1.2.3', parts });
    service.failure = new ExecgoError('unavailable', 'not ready: disk: full', { parts });
    const unwell = await get('/readyz');
    expect([unwell.status, unwell.body.error]).toEqual([
      503,
      { code: 'unavailable', message: 'not ready: disk: full', details: { parts } },
    ]);
    const metrics = await get('/metrics');
    expect(metrics.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(metrics.text).toContain('execgo_runtime_tasks_running 0');
    for (const failure of [new ExecgoError('insufficient_storage', 'disk full'), new Error('secret')]) {
      service.failure = failure;
      const answer = await get('/readyz');
      expect(answer.status).toBe(503);
      expect(answer.body.error.code).toBe('unavailable');
      expect(answer.text).not.toContain('secret');
    }
  });

  test('welcomes programs and people', async () => {
    const { get } = http((await serve()).url);
    expect((await get('/')).body).toMatchObject({
      name: 'execgo',
      links: { specification: '/openapi.json' },
    });
    expect((await get('/', { accept: 'text/html,*/*;q=0.8' })).text).toContain('<a href="/openapi.json">');
  });
});
