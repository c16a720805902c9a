import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SessionView } from '../../src/task/sessions.js';
import type { TaskView } from '../../src/task/view.js';
import {
  command,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
  type Daemon,
} from '../harness/index.js';

const PATH = '/api/v1/sessions';
const FLAGS = ['--gc-interval-ms', '50'];
/** No such file comes to be there. */
const NEVER = '/nonexistent/file';

const make = (daemon: Daemon, body: object = {}) => http(daemon.url).post<SessionView>(PATH, body);
const show = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<SessionView>(`${PATH}/${id}`)).body;
const edit = (daemon: Daemon, id: string, body: unknown, headers = {}) =>
  http(daemon.url).request('PATCH', `${PATH}/${id}`, { body, headers });
const inSession = (session_id: string, text: string, more: object = {}) =>
  script(text, { control_context: { session_id }, ...more });
/** A task that runs until the file is there. */
const until = (file: string) => `while ! [ -e ${file} ]; do sleep 0.02; done`;

describe('a session', () => {
  test('is a workspace that its tasks share, and nothing else', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    const made = await make(daemon, { session_id: 's', title: 'Work', metadata: { a: 'b' } });
    expect(made).toMatchObject({
      status: 200,
      body: {
        ...{
          session_id: 's',
          title: 'Work',
          metadata: { a: 'b' },
          state: 'idle',
          version: 1,
          concurrency: 1,
        },
        counts: { accepted: 0, running: 0, success: 0, failed: 0, cancelled: 0 },
        last_event_seq: 0,
        workspace: join(daemon.dataDir, 'sessions', 's', 'workspace'),
      },
    });
    const first = await submitAndWait(daemon, inSession('s', 'echo left >note; pwd'));
    expect(first).toMatchObject({ status: 'success', session_id: 's', stdout: `${made.body.workspace}\n` });
    expect(first.cwd).toBe(made.body.workspace);
    expect(existsSync(join(first.artifacts.task_dir, 'workspace'))).toBe(false);
    const second = await submitAndWait(
      daemon,
      inSession('s', 'cat ../note; pwd; exit 3', { sandbox: { workspace_subdir: 'deep/er' } }),
    );
    expect(second).toMatchObject({ exit_code: 3, stdout: `${made.body.workspace}/deep/er\n` });
    const third = await submitAndWait(daemon, inSession('s', 'cat note; ls'));
    expect(third.stdout).toBe('left\ndeep\nnote\n');
    const own = await submitAndWait(daemon, command('ls'));
    expect(own.stdout).toBe('');
    const events = await http(daemon.url).get('/api/v1/events?limit=1000');
    expect(await show(daemon, 's')).toMatchObject({
      state: 'idle',
      counts: { accepted: 0, running: 0, success: 2, failed: 1, cancelled: 0 },
      last_task_id: third.task_id,
      last_event_seq: events.body.filter((e: { task_id: string }) => e.task_id === third.task_id).at(-1).seq,
    });
  });

  test('has an id of its own where none is given, and is listed', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    const { body } = await make(daemon);
    expect(body.session_id).toMatch(/^[0-9a-f-]{36}$/);
    for (const n of [1, 2, 3])
      await make(daemon, { session_id: `s${n}`, tenant: n === 2 ? 'acme' : 'other', owner: 'ann' });
    const list = (query: string) => http(daemon.url).get(`${PATH}?${query}`);
    const ids = async (query: string) =>
      (await list(query)).body.sessions.map((s: SessionView) => s.session_id);
    expect(await ids('')).toEqual(['s3', 's2', 's1', body.session_id]);
    expect(await ids('tenant=acme')).toEqual(['s2']);
    expect(await ids('owner=ann&state=idle')).toEqual(['s3', 's2', 's1']);
    expect(await ids('state=running')).toEqual([]);
    const page = await list('limit=3');
    expect(page.body.sessions).toHaveLength(3);
    expect(await ids(`limit=3&cursor=${page.body.next_cursor}`)).toEqual([body.session_id]);
    for (const bad of ['cursor=x', 'cursor=0', 'limit=0', 'limit=201', 'state=open', 'tenant='])
      expect(await list(bad)).toMatchObject({ status: 400, body: { error: { code: 'invalid_input' } } });
  });

  test('is not made with anything wrong', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    const wrong: [field: string, body: unknown][] = [
      ['session_id', { session_id: 'a b' }],
      ['session_id', { session_id: '..' }],
      ['session_id', { session_id: 5 }],
      ['tenant', { tenant: ' ' }],
      ['owner', { owner: 'a\nb' }],
      ['title', { title: 'x'.repeat(1001) }],
      ['title', { title: 'a\0' }],
      ['metadata', { metadata: { a: 1 } }],
      ['metadata', { metadata: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`k${i}`, ''])) }],
      ['metadata', { metadata: { a: 'x'.repeat(65_536) } }],
      ['ttl_secs', { ttl_secs: 0 }],
      ['ttl_secs', { ttl_secs: 1e12 }],
      ['ttl_secs', { ttl_secs: '5' }],
      ['expires_at', { expires_at: 'tomorrow' }],
      ['expires_at', { expires_at: '2001-01-01T00:00:00Z' }],
      ['expires_at', { ttl_secs: 5, expires_at: '2999-01-01T00:00:00Z' }],
      ['concurrency', { concurrency: 0 }],
      ['concurrency', { concurrency: 1001 }],
      ['body', { concurency: 2 }],
      ['body', []],
    ];
    for (const [field, body] of wrong) {
      const answer = await http(daemon.url).post(PATH, body);
      expect(answer, JSON.stringify(body)).toMatchObject({
        status: 400,
        body: {
          error: { code: 'invalid_input', message: expect.stringContaining(`invalid input: ${field}`) },
        },
      });
    }
    expect((await http(daemon.url).get(PATH)).body.sessions).toEqual([]);
  });

  test('is made once under its id, and no more than may be', async () => {
    const daemon = await startDaemon({ flags: [...FLAGS, '--max-sessions', '2'] });
    expect((await make(daemon, { session_id: 's' })).status).toBe(200);
    expect(await make(daemon, { session_id: 's', tenant: 'other' })).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict', message: 'session already exists: s' } },
    });
    expect((await make(daemon)).status).toBe(200);
    expect(await make(daemon)).toMatchObject({
      status: 429,
      headers: { 'retry-after': '1' },
      body: { error: { code: 'resource_limit_exceeded', details: { bound: 'max_sessions', limit: 2 } } },
    });
    expect((await http(daemon.url).delete(`${PATH}/s`)).body).toEqual({ session_id: 's', deleted: true });
    expect((await make(daemon)).status).toBe(200);
    expect(readdirSync(join(daemon.dataDir, 'sessions'))).toHaveLength(2);
  });

  test("is not there for who does not know it, and not for another tenant's tasks", async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    await make(daemon, { session_id: 's', tenant: 'acme' });
    const missing = { status: 404, body: { error: { code: 'not_found', message: 'session not found: s' } } };
    for (const tenant of [undefined, 'other'])
      for (const path of ['/api/v1/tasks', '/api/v1/tasks?dry_run=true'])
        expect(
          await http(daemon.url).post(
            path,
            command('true', [], { control_context: { session_id: 's', tenant } }),
          ),
        ).toMatchObject(missing);
    for (const method of ['GET', 'PATCH', 'DELETE'])
      expect(
        await http(daemon.url).request(method, `${PATH}/s?tenant=other`, {
          body: method === 'PATCH' ? {} : undefined,
        }),
      ).toMatchObject(missing);
    expect((await http(daemon.url).get(`${PATH}/s?tenant=acme`)).status).toBe(200);
    const unknown = await http(daemon.url).post('/api/v1/tasks', inSession('no', 'true'));
    expect(unknown).toMatchObject({ status: 404, body: { error: { message: 'session not found: no' } } });
    expect(readdirSync(join(daemon.dataDir, 'tasks'))).toEqual([]);
    const task = await submitAndWait(
      daemon,
      command('true', [], { control_context: { session_id: 's', tenant: 'acme' } }),
    );
    expect(task.status).toBe('success');
  });
});

describe('tasks of a session', () => {
  test('run one at a time and in order, whatever their priority, queue and lane, and delay nobody else', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    await make(daemon, { session_id: 's' });
    const go = join(tempDir(), 'go');
    const trace = (n: number) => `echo begin ${n} >>trace; sleep 0.02; echo end ${n} >>trace`;
    const first = await submit(daemon, inSession('s', `${until(go)}; ${trace(0)}`));
    const ids = [];
    for (const n of [1, 2, 3, 4])
      ids.push(
        await submit(
          daemon,
          script(trace(n), {
            policy: { priority: n * 10 },
            control_context: { session_id: 's', queue: `q${n}`, lane: 'l' },
          }),
        ),
      );
    expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
    const { body: waiting } = await http(daemon.url).get<TaskView>(`/api/v1/tasks/${ids[2]}`);
    expect(waiting.waiting).toMatchObject({
      reason: 'session_busy',
      detail: `session "s" runs one task at a time: "${first}" has its turn, and 2 more come before it`,
    });
    expect(waiting.waiting?.position).toBeUndefined();
    expect(await show(daemon, 's')).toMatchObject({
      ...{ state: 'running', active_task_id: first, last_task_id: ids[3] },
      counts: { accepted: 4, running: 1 },
    });
    writeFileSync(go, '');
    for (const id of ids) expect((await waitForEnd(daemon, id)).status).toBe('success');
    const { stdout } = await submitAndWait(daemon, inSession('s', 'cat trace'));
    expect(stdout).toBe([0, 1, 2, 3, 4].map((n) => `begin ${n}\nend ${n}\n`).join(''));
  });

  test('keep their turn between attempts, and give it to the next when they are killed while they wait', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    await make(daemon, { session_id: 's' });
    const retried = await submit(
      daemon,
      inSession('s', 'echo try $EXECGO_ATTEMPT >>trace; [ "$EXECGO_ATTEMPT" = 2 ]', {
        policy: { retry: { max_attempts: 2, backoff_ms: 300 } },
      }),
    );
    const killed = await submit(daemon, inSession('s', 'echo killed >>trace'));
    const next = await submit(daemon, inSession('s', 'echo next >>trace; cat trace'));
    expect((await http(daemon.url).post(`/api/v1/tasks/${killed}/kill`)).body.status).toBe('cancelled');
    expect((await waitForEnd(daemon, next)).stdout).toBe('try 1\ntry 2\nnext\n');
    expect((await waitForEnd(daemon, retried)).attempt).toBe(2);
  });

  test('run as many at once as it says, from when it says so', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    await make(daemon, { session_id: 's' });
    const ids = [];
    for (let n = 0; n < 3; n++) ids.push(await submit(daemon, inSession('s', until(NEVER))));
    const running = async () => (await show(daemon, 's')).counts.running;
    await waitFor(async () => (await running()) === 1, { what: 'the first' });
    expect((await edit(daemon, 's', { concurrency: 2 })).body).toMatchObject({ concurrency: 2, version: 2 });
    await waitFor(async () => (await running()) === 2, { what: 'the second' });
    expect((await show(daemon, 's')).counts).toMatchObject({ accepted: 1, running: 2 });
    expect((await http(daemon.url).delete(`${PATH}/s?force=true`)).body.deleted).toBe(true);
    for (const id of ids) expect((await waitForEnd(daemon, id)).status).toBe('cancelled');
  });

  test('go on in order after a restart, beside one that has run on', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    await make(daemon, { session_id: 's' });
    const go = join(tempDir(), 'go');
    const first = await submit(daemon, inSession('s', `${until(go)}; echo 1 >>trace`));
    const second = await submit(daemon, inSession('s', 'echo 2 >>trace'));
    const third = await submit(daemon, inSession('s', 'cat trace', { policy: { priority: 9 } }));
    await waitFor(async () => (await show(daemon, 's')).counts.running === 1, { what: 'the first' });
    await daemon.kill();
    await daemon.restart();
    expect(await show(daemon, 's')).toMatchObject({
      active_task_id: first,
      counts: { accepted: 2, running: 1 },
    });
    const { body } = await http(daemon.url).get<TaskView>(`/api/v1/tasks/${second}`);
    expect(body.waiting?.reason).toBe('session_busy');
    writeFileSync(go, '');
    expect((await waitForEnd(daemon, third)).stdout).toBe('1\n2\n');
  });

  test('keep their turn in a back-off over a restart, and pass it on while they are held', async () => {
    const daemon = await startDaemon({ flags: [...FLAGS, '--max-running-tasks', '1'] });
    await make(daemon, { session_id: 's' });
    const first = await submit(
      daemon,
      inSession('s', 'echo try $EXECGO_ATTEMPT >>trace; [ "$EXECGO_ATTEMPT" = 2 ]', {
        policy: { retry: { max_attempts: 2, backoff_ms: 4000 } },
      }),
    );
    const status = async (id: string) => (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
    await waitFor(async () => (await status(first)).waiting?.reason === 'retry_backoff', {
      what: 'the back-off',
    });
    const second = await submit(daemon, inSession('s', 'echo second >>trace; cat trace'));
    await daemon.kill();
    await daemon.restart();
    expect((await status(second)).waiting?.reason).toBe('session_busy');
    expect((await waitForEnd(daemon, second)).stdout).toBe('try 1\ntry 2\nsecond\n');
    const go = join(tempDir(), 'go');
    const other = await submit(daemon, script(until(go)));
    const held = await submit(daemon, inSession('s', 'true'));
    const passes = await submit(daemon, inSession('s', 'true'));
    const hold = { body: { policy: { hold: true } } };
    expect((await http(daemon.url).request('PATCH', `/api/v1/tasks/${held}`, hold)).status).toBe(200);
    writeFileSync(go, '');
    expect((await waitForEnd(daemon, passes)).status).toBe('success');
    expect((await status(held)).waiting?.reason).toBe('held');
    expect((await http(daemon.url).post(`/api/v1/tasks/${held}/release`)).status).toBe(200);
    for (const id of [held, other]) expect((await waitForEnd(daemon, id)).status).toBe('success');
  });

  test('can be changed while they wait, and stay where they are', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    await make(daemon, { session_id: 's' });
    const go = join(tempDir(), 'go');
    await submit(daemon, inSession('s', until(go)));
    const second = await submit(daemon, inSession('s', 'echo 2 >>trace'));
    const third = await submit(daemon, inSession('s', 'echo 3 >>trace; cat trace'));
    const changed = await http(daemon.url).request('PATCH', `/api/v1/tasks/${second}`, {
      body: { metadata: { a: 'b' }, limits: { wall_time_ms: 60_000 } },
    });
    expect(changed).toMatchObject({
      status: 200,
      body: { waiting: { reason: 'session_busy' }, session_id: 's' },
    });
    const moved = await http(daemon.url).request('PATCH', `/api/v1/tasks/${second}`, {
      body: { control_context: { session_id: 'other' } },
    });
    expect(moved.status).toBe(400);
    writeFileSync(go, '');
    expect((await waitForEnd(daemon, third)).stdout).toBe('2\n3\n');
  });

  test('time out while they wait for their turn, and count against the bound of what may wait', async () => {
    const daemon = await startDaemon({ flags: [...FLAGS, '--max-queued-tasks', '1'] });
    await make(daemon, { session_id: 's' });
    await submit(daemon, inSession('s', until(NEVER)));
    await waitFor(async () => (await show(daemon, 's')).counts.running === 1, { what: 'the first' });
    const second = await submit(daemon, inSession('s', 'true', { limits: { queue_timeout_ms: 300 } }));
    expect((await http(daemon.url).post('/api/v1/tasks', inSession('s', 'true'))).status).toBe(429);
    expect((await waitForEnd(daemon, second)).cause).toBe('queue_timeout');
    expect((await http(daemon.url).delete(`${PATH}/s?force=true`)).body.deleted).toBe(true);
  });

  test('find a directory, whatever an earlier one has put in its place, and nobody follows a link', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    const outside = tempDir();
    writeFileSync(join(outside, 'kept'), 'kept');
    await make(daemon, { session_id: 's' });
    await submitAndWait(daemon, inSession('s', `cd ..; rm -r workspace; ln -s ${outside} workspace`));
    const next = await submitAndWait(daemon, inSession('s', 'ls -A; pwd -P; touch own'));
    expect(next).toMatchObject({ status: 'success', stdout: `${(await show(daemon, 's')).workspace}\n` });
    await submitAndWait(daemon, inSession('s', `ln -s ${outside} sub`));
    const through = await submitAndWait(
      daemon,
      inSession('s', 'touch lost', { sandbox: { workspace_subdir: 'sub/dir' } }),
    );
    expect(through).toMatchObject({ status: 'failed', cause: 'launch' });
    await submitAndWait(daemon, inSession('s', 'mkfifo pipe; chmod 0 .'));
    expect((await http(daemon.url).delete(`${PATH}/s`)).body.deleted).toBe(true);
    await waitFor(() => readdirSync(join(daemon.dataDir, 'trash')).length === 0, { what: 'an empty trash' });
    expect(readdirSync(join(daemon.dataDir, 'sessions'))).toEqual([]);
    expect(readdirSync(outside)).toEqual(['kept']);
  });
});

describe('the end of a session', () => {
  test('comes when it is deleted: with its tasks only by force, and by its owner', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    await make(daemon, { session_id: 's', owner: 'ann' });
    const ids = [];
    for (let n = 0; n < 3; n++) ids.push(await submit(daemon, inSession('s', until(NEVER))));
    const remove = (query: string, owner?: string) =>
      http(daemon.url).delete(`${PATH}/s${query}`, owner === undefined ? {} : { 'x-execgo-owner': owner });
    for (const query of ['', '?force=true'])
      expect(await remove(query)).toMatchObject({
        status: 403,
        body: { error: { message: expect.stringContaining('owner of the session') } },
      });
    expect(await remove('', 'ann')).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict', details: { session_id: 's', tasks: 3 } } },
    });
    expect((await remove('?force=yes', 'ann')).status).toBe(400);
    expect((await show(daemon, 's')).state).toBe('running');
    expect((await remove('?force=true', 'ann')).body).toEqual({ session_id: 's', deleted: true });
    expect((await remove('', 'ann')).status).toBe(404);
    for (const id of ids) expect((await waitForEnd(daemon, id)).status).toBe('cancelled');
    expect(readdirSync(join(daemon.dataDir, 'sessions'))).toEqual([]);
    expect((await http(daemon.url).post('/api/v1/tasks', inSession('s', 'true'))).status).toBe(404);
    expect((await make(daemon, { session_id: 's' })).body).toMatchObject({
      version: 1,
      counts: { cancelled: 0 },
    });
  });

  test('is waited for no longer than is asked for, and comes all the same, also after a crash', async () => {
    const daemon = await startDaemon({ flags: [...FLAGS, '--termination-grace-ms', '1000'] });
    await make(daemon, { session_id: 's' });
    const stubborn = await submit(daemon, inSession('s', `trap '' TERM; touch ready; ${until(NEVER)}`));
    const workspace = (await show(daemon, 's')).workspace ?? '';
    await waitFor(() => existsSync(join(workspace, 'ready')), { what: 'the task' });
    expect((await http(daemon.url).delete(`${PATH}/s?force=true&wait_ms=0`)).body).toEqual({
      session_id: 's',
      deleted: false,
    });
    expect(await show(daemon, 's')).toMatchObject({ state: 'ended', reason: 'deleted' });
    expect(await http(daemon.url).post('/api/v1/tasks', inSession('s', 'true'))).toMatchObject({
      status: 409,
      body: { error: { code: 'session_ended', details: { session_id: 's', reason: 'deleted' } } },
    });
    await daemon.kill();
    await daemon.restart();
    expect((await waitForEnd(daemon, stubborn)).status).toBe('cancelled');
    await waitFor(async () => (await http(daemon.url).get(`${PATH}/s`)).status === 404, { what: 'its end' });
    expect(readdirSync(join(daemon.dataDir, 'sessions'))).toEqual([]);
  });

  test('comes when its time is over: it takes no more, then its files go, and that is remembered for a while', async () => {
    const daemon = await startDaemon({ flags: [...FLAGS, '--session-tombstone-secs', '2'] });
    await make(daemon, { session_id: 's', ttl_secs: 1 });
    const go = join(tempDir(), 'go');
    const task = await submit(daemon, inSession('s', until(go)));
    await waitFor(async () => (await show(daemon, 's')).state === 'ended', { what: 'its end' });
    const refused = (code: string) => ({
      status: 409,
      body: { error: { code, details: { reason: 'expired' } } },
    });
    expect(await http(daemon.url).post('/api/v1/tasks', inSession('s', 'true'))).toMatchObject(
      refused('session_ended'),
    );
    expect(await edit(daemon, 's', { ttl_secs: 100 })).toMatchObject(refused('session_ended'));
    expect(existsSync((await show(daemon, 's')).workspace ?? '')).toBe(true);
    writeFileSync(go, '');
    expect((await waitForEnd(daemon, task)).status).toBe('success');
    await waitFor(async () => (await show(daemon, 's')).state === 'evicted', { what: 'its eviction' });
    const evicted = await show(daemon, 's');
    expect(evicted).toMatchObject({
      reason: 'expired',
      counts: { success: 1 },
      evicted_at: expect.any(String),
    });
    expect(evicted.workspace).toBeUndefined();
    for (const path of ['/api/v1/tasks', '/api/v1/tasks?dry_run=true'])
      expect(await http(daemon.url).post(path, inSession('s', 'true'))).toMatchObject(
        refused('session_evicted'),
      );
    expect(await edit(daemon, 's', { title: 'x' })).toMatchObject(refused('session_evicted'));
    expect((await make(daemon, { session_id: 's' })).body).toMatchObject({ error: { code: 'conflict' } });
    await waitFor(() => readdirSync(join(daemon.dataDir, 'sessions')).length === 0, {
      what: 'its directory',
    });
    await waitFor(async () => (await http(daemon.url).get(`${PATH}/s`)).status === 404, { what: 'oblivion' });
    expect((await make(daemon, { session_id: 's' })).status).toBe(200);
  });

  test('comes when nothing is done in it for too long, but not while a task of it runs', async () => {
    const daemon = await startDaemon({ flags: [...FLAGS, '--session-idle-secs', '1'] });
    await make(daemon, { session_id: 'busy' });
    await make(daemon, { session_id: 'idle' });
    const go = join(tempDir(), 'go');
    const task = await submit(daemon, inSession('busy', until(go)));
    await waitFor(async () => (await show(daemon, 'idle')).state === 'evicted', { what: 'the idle one' });
    expect(await show(daemon, 'idle')).toMatchObject({ reason: 'idle' });
    expect(await show(daemon, 'busy')).toMatchObject({ state: 'running' });
    writeFileSync(go, '');
    await waitForEnd(daemon, task);
    await waitFor(async () => (await show(daemon, 'busy')).state === 'evicted', { what: 'the busy one' });
    expect((await http(daemon.url).delete(`${PATH}/busy`)).body.deleted).toBe(true);
    expect((await http(daemon.url).get(`${PATH}/busy`)).status).toBe(404);
  });
});

describe('what is said of a session', () => {
  test('can be changed in part, taken back, and guarded by its version', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    await make(daemon, {
      session_id: 's',
      owner: 'ann',
      title: 'a',
      metadata: { a: '1', b: '2' },
      ttl_secs: 100,
    });
    const ann = { 'x-execgo-owner': 'ann' };
    expect((await edit(daemon, 's', { title: 'b' })).status).toBe(403);
    const changed = await edit(
      daemon,
      's',
      { title: 'b', metadata: { a: null, c: '3' }, if_version: 1 },
      ann,
    );
    expect(changed.body).toMatchObject({ title: 'b', metadata: { b: '2', c: '3' }, version: 2 });
    expect(changed.body.expires_at).toBeDefined();
    expect(await edit(daemon, 's', { title: 'c', if_version: 1 }, ann)).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict', details: { version: 2 } } },
    });
    const bare = (await edit(daemon, 's', { title: null, metadata: null, ttl_secs: null }, ann)).body;
    expect(bare).toMatchObject({ metadata: {}, version: 3 });
    expect([bare.title, bare.expires_at]).toEqual([undefined, undefined]);
    const ended = await edit(daemon, 's', { state: 'ended' }, ann);
    expect(ended.body).toMatchObject({ state: 'ended', reason: 'closed' });
    expect((await http(daemon.url).post('/api/v1/tasks', inSession('s', 'true'))).body.error.code).toBe(
      'session_ended',
    );
    expect((await edit(daemon, 's', { title: 'still' }, ann)).body).toMatchObject({
      title: 'still',
      state: 'ended',
    });
  });

  test('is not changed by anything wrong', async () => {
    const daemon = await startDaemon({ flags: FLAGS });
    await make(daemon, { session_id: 's' });
    const wrong: [field: string, body: unknown][] = [
      ['title', { title: 5 }],
      ['metadata', { metadata: { a: 'x'.repeat(65_536) } }],
      ['concurrency', { concurrency: 0 }],
      ['state', { state: 'open' }],
      ['if_version', { if_version: 0 }],
      ['expires_at', { expires_at: '2001-01-01T00:00:00Z' }],
      ['expires_at', { expires_at: '2999-01-01T00:00:00Z', ttl_secs: 1 }],
      ['body', { owner: 'eve' }],
      ['body', '"text"'],
    ];
    for (const [field, body] of wrong)
      expect(await edit(daemon, 's', body), JSON.stringify(body)).toMatchObject({
        status: 400,
        body: {
          error: { code: 'invalid_input', message: expect.stringContaining(`invalid input: ${field}`) },
        },
      });
    expect((await show(daemon, 's')).version).toBe(1);
  });
});

test('a daemon puts right what does not fit together: directories without sessions, sessions without workspace', async () => {
  const daemon = await startDaemon({ flags: FLAGS });
  await make(daemon, { session_id: 's' });
  await make(daemon, { session_id: 'spoilt' });
  await daemon.stop();
  const room = join(daemon.dataDir, 'sessions');
  rmSync(join(room, 's', 'workspace'), { recursive: true });
  rmSync(join(room, 'spoilt'), { recursive: true });
  symlinkSync(tempDir(), join(room, 'spoilt'));
  mkdirSync(join(room, 'orphan', 'workspace'), { recursive: true });
  writeFileSync(join(room, 'a file'), '');
  await daemon.restart();
  await waitFor(() => existsSync(join(room, 'spoilt', 'workspace')), { what: 'the workspaces' });
  await waitFor(() => readdirSync(join(daemon.dataDir, 'trash')).length === 0, { what: 'an empty trash' });
  expect(readdirSync(room).sort()).toEqual(['s', 'spoilt']);
  for (const id of ['s', 'spoilt'])
    expect((await submitAndWait(daemon, inSession(id, 'pwd -P'))).stdout).toBe(
      `${join(room, id, 'workspace')}\n`,
    );
});
