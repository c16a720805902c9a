import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { taskRoutes } from '../../src/api/task-door/routes.js';
import type { CommandPage, CommandView, EventView } from '../../src/client/index.js';
import {
  command,
  type Daemon,
  eventTypes,
  http,
  startDaemon,
  submit,
  tempDir,
  waitForEnd,
} from '../harness/index.js';
import { asker, say, startTalker, told } from './talk.js';

const page = async (daemon: Daemon, id: string, query = '') =>
  (await http(daemon.url).get<CommandPage>(`/api/v1/tasks/${id}/commands${query}`)).body;
const statuses = async (daemon: Daemon, id: string) =>
  (await page(daemon, id)).commands.map(({ status }) => status);
const kill = (daemon: Daemon, id: string) =>
  http(daemon.url).post(`/api/v1/tasks/${id}/kill?grace_ms=0&wait_ms=10000`);

test('a task is told what is said to it, in order, and says when it has read it and what came of it', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  const first = await say(daemon, id, { type: 'set', payload: { rate: 0.5, é: [null, '\u0000'] } });
  expect([first.status, first.body]).toMatchObject([
    200,
    { task_id: id, seq: 1, type: 'set', payload: { rate: 0.5, é: [null, '\u0000'] }, status: 'pending' },
  ]);
  expect((await say(daemon, id, { type: 'stop' })).body).toMatchObject({ seq: 2, payload: null });
  expect((await ask('GET', '/commands')).body).toMatchObject({
    task_id: id,
    commands: [{ seq: 1 }, { seq: 2 }],
    last_seq: 2,
  });
  expect((await ask('GET', '/commands?after_seq=1&limit=1')).body.commands).toMatchObject([{ seq: 2 }]);
  expect((await ask('POST', '/commands/1/ack')).body).toMatchObject({ seq: 1, status: 'acknowledged' });
  // Said again because an answer was lost: the same.
  const again = (await ask('POST', '/commands/1/ack')).body;
  expect(again).toMatchObject({ seq: 1, status: 'acknowledged' });
  const done = { status: 'completed', result: { saved: 'x' } };
  expect((await ask('POST', '/commands/1/finish', done)).body).toMatchObject({ ...done, seq: 1 });
  expect((await ask('POST', '/commands/1/finish', done)).status).toBe(200);
  // One that is carried out was read.
  const failed = (await ask('POST', '/commands/2/finish', { status: 'failed', error: 'cannot' })).body;
  expect(failed).toMatchObject({ seq: 2, status: 'failed', error: 'cannot' });
  expect(failed.acknowledged_at).toBe(failed.finished_at);
  expect((await ask('GET', '/commands')).body).toEqual({ task_id: id, commands: [], last_seq: 0 });
  const [one, two, ...more] = (await page(daemon, id)).commands;
  expect([one, two, more]).toMatchObject([{ ...done, seq: 1 }, { seq: 2, status: 'failed' }, []]);
  expect((await page(daemon, id, '?after_seq=1')).commands).toMatchObject([{ seq: 2 }]);
  const { body: events } = await http(daemon.url).get<EventView[]>(`/api/v1/tasks/${id}/events`);
  expect(events.filter(({ event_type }) => event_type.startsWith('command')).map((e) => e.message)).toEqual([
    'command for the task: number 1, set',
    'command for the task: number 2, stop',
    'the task has read a command: number 1, set: acknowledged',
    'the task has carried out a command: number 1, set: completed',
    'the task has carried out a command: number 2, stop: failed',
  ]);
});

test('who asks for commands, or for the end of one, is answered as soon as there is something', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  const heard = ask('GET', '/commands?wait_ms=60000');
  const listed = page(daemon, id, '?wait_ms=60000');
  await say(daemon, id, { type: 'a' });
  expect((await heard).body.commands).toMatchObject([{ seq: 1 }]);
  expect((await listed).commands).toMatchObject([{ seq: 1 }]);
  const over = http(daemon.url).get<CommandView>(`/api/v1/tasks/${id}/commands/1?wait_ms=60000`);
  await ask('POST', '/commands/1/ack');
  await ask('POST', '/commands/1/finish', { status: 'completed' });
  expect((await over).body).toMatchObject({ seq: 1, status: 'completed' });
  // A wait ends with the task, too, and when nothing comes in time.
  expect((await ask('GET', '/commands?wait_ms=1')).body.commands).toEqual([]);
  await say(daemon, id, { type: 'b' });
  const second = http(daemon.url).get<CommandView>(`/api/v1/tasks/${id}/commands/2?wait_ms=60000`);
  const third = page(daemon, id, '?after_seq=2&wait_ms=60000');
  const own = ask('GET', '/commands?after_seq=2&wait_ms=60000');
  await kill(daemon, id);
  expect((await second).body).toMatchObject({ status: 'cancelled' });
  expect((await third).commands).toEqual([]);
  expect([401, 410]).toContain((await own).status);
});

test('the same key is the same command, with something else it is refused', async () => {
  const daemon = await startDaemon();
  const { id } = await startTalker(daemon);
  const body = { type: 'a', payload: { x: 1, y: null }, idempotency_key: 'k' };
  const answers = await Promise.all(Array.from({ length: 5 }, () => say(daemon, id, body)));
  for (const { body: told } of answers) expect(told).toEqual(answers[0]!.body);
  const swapped = { ...body, payload: { y: null, x: 1 } };
  expect((await say(daemon, id, swapped)).body).toEqual(answers[0]!.body);
  for (const other of [{ payload: { x: 1 } }, { payload: [1] }, { type: 'b' }, { payload: undefined }]) {
    const refused = await say(daemon, id, { ...body, ...other });
    expect([refused.status, refused.body.error]).toMatchObject([
      409,
      { code: 'conflict', details: { seq: 1 } },
    ]);
  }
  await kill(daemon, id);
  // Also once the task has ended: it was the same then.
  expect((await say(daemon, id, body)).body).toMatchObject({ seq: 1, status: 'cancelled' });
  expect((await page(daemon, id)).commands).toHaveLength(1);
});

test('what is open when a task ends is cancelled with that, and an ended task takes no more', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const { id, ask } = await startTalker(daemon, 'read x </dev/fd/0; sleep 600');
  for (const type of ['a', 'b', 'c', 'd']) await say(daemon, id, { type });
  await ask('POST', '/commands/1/finish', { status: 'completed' });
  await ask('POST', '/commands/2/ack');
  const waits = await submit(daemon, command('true'));
  await say(daemon, waits, { type: 'too early' });
  await kill(daemon, id);
  expect(await statuses(daemon, id)).toEqual(['completed', 'cancelled', 'cancelled', 'cancelled']);
  const types = await eventTypes(daemon, id);
  expect(types.at(-1)).toBe('cancelled');
  expect(types.filter((type) => type === 'commands_cancelled')).toHaveLength(1);
  await waitForEnd(daemon, waits);
  expect(await statuses(daemon, waits)).toEqual(['cancelled']);
  const late = await say(daemon, waits, { type: 'late' });
  expect([late.status, late.body.error.code]).toEqual([409, 'conflict']);
  // A task that waits is killed, too.
  await submit(daemon, command('sleep', ['600']));
  const killed = await submit(daemon, command('true'));
  await say(daemon, killed, { type: 'a' });
  await kill(daemon, killed);
  expect(await statuses(daemon, killed)).toEqual(['cancelled']);
  // They go with their task.
  await http(daemon.url).delete(`/api/v1/tasks/${killed}`);
  expect((await http(daemon.url).get(`/api/v1/tasks/${killed}/commands`)).status).toBe(404);
});

test('a task that is being killed takes no more, and can still say what it has done', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon, 'trap "" TERM; while :; do sleep 0.05; done');
  await say(daemon, id, { type: 'a' });
  await http(daemon.url).post(`/api/v1/tasks/${id}/kill?grace_ms=60000`);
  const late = await say(daemon, id, { type: 'b' });
  expect([late.status, late.body.error.message]).toEqual([409, expect.stringContaining('is being ended')]);
  expect((await ask('POST', '/commands/1/finish', { status: 'completed' })).status).toBe(200);
  await kill(daemon, id);
  expect(await statuses(daemon, id)).toEqual(['completed']);
});

test('what is open is there for the next attempt, and the token of the last one counts no more', async () => {
  const daemon = await startDaemon();
  const policy = { retry: { max_attempts: 2, backoff_ms: 0 } };
  const { id, ask, token } = await startTalker(
    daemon,
    'until [ -e go ]; do sleep 0.02; done; rm go; exit 1',
    {
      policy,
    },
  );
  await say(daemon, id, { type: 'a' });
  await say(daemon, id, { type: 'b' });
  await ask('POST', '/commands/1/ack');
  const put = http(daemon.url).request('PUT', `/api/v1/tasks/${id}/files/go`, {
    body: 'x',
    headers: { 'content-type': 'application/octet-stream' },
  });
  expect((await put).status).toBe(200);
  const second = await told(daemon, id).then(async (first) => {
    let next = first;
    while (next.token === token) next = await told(daemon, id);
    return next;
  });
  const old = await ask('GET', '/commands');
  expect([old.status, old.body.error.code]).toEqual([401, 'unauthorized']);
  expect((await second.ask('GET', '/commands')).body.commands).toMatchObject([
    { seq: 1, status: 'acknowledged' },
    { seq: 2, status: 'pending' },
  ]);
  await second.ask('POST', '/commands/1/finish', { status: 'completed' });
  await kill(daemon, id);
  expect(await statuses(daemon, id)).toEqual(['completed', 'cancelled']);
});

test('a task sees nothing of another, and nobody is let in without the token of one that runs', async () => {
  const daemon = await startDaemon();
  const [a, b] = [await startTalker(daemon), await startTalker(daemon)];
  expect(a.socket).toBe(b.socket);
  await say(daemon, a.id, { type: 'secret' });
  expect((await b.ask('GET', '/commands')).body).toMatchObject({ task_id: b.id, commands: [] });
  for (const path of ['/commands/1/ack', '/commands/1/finish'])
    expect((await b.ask('POST', path, { status: 'completed' })).status).toBe(404);
  expect(await statuses(daemon, a.id)).toEqual(['pending']);
  const [number = '', secret = ''] = a.token.split('.');
  const wrong = [
    ...[b.token.replace(/^\d+/, number), `${number}.${'A'.repeat(43)}`, `${number}.${secret.slice(1)}`],
    ...[`${number}.`, secret, '', 'x', `99999.${secret}`, `${a.token}x`, `9${'9'.repeat(30)}.${secret}`],
  ];
  for (const token of wrong) {
    const answer = await asker(a.socket, token)('GET', '/commands');
    expect([answer.status, answer.body.error.code], token).toEqual([401, 'unauthorized']);
  }
  const without = await http(`unix:${a.socket}`).get('/commands');
  expect([without.status, without.headers['www-authenticate']]).toEqual([401, 'Bearer']);
  // No route of the API is there, nor anybody told which there are.
  expect((await http(`unix:${a.socket}`).get('/api/v1/tasks')).status).toBe(401);
  for (const path of ['/api/v1/tasks', `/api/v1/tasks/${b.id}`, '/metrics', '/healthz', '/'])
    expect((await a.ask('GET', path)).status).toBe(404);
  expect((await a.ask('DELETE', '/commands')).headers['allow']).toBe('GET, HEAD');
  // Who is not of this user does not come that far.
  expect(statSync(a.socket).mode & 0o777).toBe(0o600);
  await kill(daemon, a.id);
  expect((await a.ask('GET', '/commands')).status).toBe(401);
});

test('the socket tells what it is for', async () => {
  const daemon = await startDaemon();
  const { ask } = await startTalker(daemon);
  const { body } = await ask('GET', '/openapi.json');
  expect(body).toMatchObject({ openapi: '3.1.0', security: [{ token: [] }] });
  expect(Object.keys(body.paths as object)).toEqual(
    taskRoutes.map(({ path }) => path.replace(':seq', '{seq}')),
  );
  const references = JSON.stringify(body).match(/#\/components\/schemas\/\w+/g) ?? [];
  const named = new Set(references.map((reference) => reference.split('/').at(-1)));
  expect([...named].sort()).toEqual(Object.keys(body.components.schemas as object).sort());
});

test('what is not understood is refused', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  const long = 'x'.repeat(65_536);
  for (const [body, problem] of [
    [{}, 'type'],
    [{ type: '' }, 'type'],
    [{ type: 'x'.repeat(129) }, 'type'],
    [{ type: 7 }, 'type'],
    [{ type: 'a\u0000' }, 'NUL'],
    [{ type: ' \t\n' }, 'type: must have a character that can be seen'],
    [{ type: '\u0007\u200b\ue000' }, 'type: must have a character that can be seen'],
    [{ type: 'a', more: 1 }, 'has no field "more"'],
    [{ type: 'a', payload: long }, 'payload: must have at most 65536 bytes as JSON'],
    [{ type: 'a', idempotency_key: '' }, 'idempotency_key'],
    [{ type: 'a', idempotency_key: 'x'.repeat(256) }, 'idempotency_key'],
    [[], 'body'],
    ['{', 'JSON'],
  ] as const) {
    const answer = await say(daemon, id, body);
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(problem)]);
  }
  expect((await say(daemon, id, { type: 'a', payload: 'x'.repeat(2_000_000) })).status).toBe(413);
  expect((await say(daemon, id, 'x', { 'content-type': 'text/plain' })).status).toBe(415);
  expect((await say(daemon, 'nobody', { type: 'a' })).status).toBe(404);
  expect((await page(daemon, id)).commands).toEqual([]);
  await say(daemon, id, { type: 'a' });
  for (const [body, problem] of [
    [{}, 'status'],
    [{ status: 'cancelled' }, 'must be completed or failed'],
    [{ status: 'completed', result: long }, 'result'],
    [{ status: 'failed', error: 'x'.repeat(4097) }, 'error'],
    [{ status: 'failed', why: 'x' }, 'has no field "why"'],
  ] as const) {
    const answer = await ask('POST', '/commands/1/finish', body);
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(problem)]);
  }
  expect((await ask('POST', '/commands/1/finish')).status).toBe(415);
  for (const [seq, status] of [
    ['0', 400],
    ['x', 400],
    ['1.5', 400],
    ['-1', 400],
    ['2', 404],
    ['9'.repeat(30), 400],
  ] as const) {
    expect((await ask('POST', `/commands/${seq}/ack`)).status).toBe(status);
    expect((await http(daemon.url).get(`/api/v1/tasks/${id}/commands/${seq}`)).status).toBe(status);
  }
  for (const query of ['after_seq=x', 'after_seq=-1', 'limit=0', 'limit=201', 'wait_ms=x']) {
    expect((await ask('GET', `/commands?${query}`)).status).toBe(400);
    expect((await http(daemon.url).get(`/api/v1/tasks/${id}/commands?${query}`)).status).toBe(400);
  }
  expect((await http(daemon.url).get(`/api/v1/tasks/${id}/commands/1?wait_ms=x`)).status).toBe(400);
  await ask('POST', '/commands/1/finish', { status: 'completed', result: 1 });
  for (const other of [{ status: 'failed' }, { status: 'completed' }, { status: 'completed', result: 2 }]) {
    const refused = await ask('POST', '/commands/1/finish', other);
    expect([refused.status, refused.body.error.details]).toEqual([409, { seq: 1, status: 'completed' }]);
  }
  expect((await ask('POST', '/commands/1/ack')).status).toBe(409);
});

test('only the owner of a task says something to it, and it has no more open than it may', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon, 'exec sleep 600', { control_context: { owner: 'me' } });
  expect((await say(daemon, id, { type: 'a' })).status).toBe(403);
  const mine = { 'x-execgo-owner': 'me' };
  for (let i = 0; i < 100; i++) expect((await say(daemon, id, { type: 'a' }, mine)).status).toBe(200);
  const refused = await say(daemon, id, { type: 'a' }, mine);
  expect([refused.status, refused.body.error.details]).toEqual([429, { bound: 'open_commands', limit: 100 }]);
  await ask('POST', '/commands/50/finish', { status: 'completed' });
  expect((await say(daemon, id, { type: 'a' }, mine)).body.seq).toBe(101);
});

test('a task goes on with the next daemon, at the same socket; who waits there is answered when a daemon stops', async () => {
  const daemon = await startDaemon();
  const { id, ask, socket } = await startTalker(daemon);
  await say(daemon, id, { type: 'a' });
  await ask('POST', '/commands/1/ack');
  const waiting = ask('GET', '/commands?after_seq=1&wait_ms=60000');
  await daemon.stop();
  expect((await waiting).body.commands).toEqual([]);
  expect(existsSync(socket)).toBe(false);
  await daemon.restart();
  expect((await ask('GET', '/commands')).body.commands).toMatchObject([{ seq: 1, status: 'acknowledged' }]);
  // What a daemon that was killed has left is in nobody's way.
  await daemon.kill();
  expect(existsSync(socket)).toBe(true);
  await daemon.restart();
  expect((await ask('POST', '/commands/1/finish', { status: 'completed' })).status).toBe(200);
  await say(daemon, id, { type: 'b' });
  await kill(daemon, id);
  expect(await statuses(daemon, id)).toEqual(['completed', 'cancelled']);
});

test('a data directory whose path is too long has its socket elsewhere, where it stays while tasks run', async () => {
  const dataDir = join(tempDir(), 'x'.repeat(100));
  const daemon = await startDaemon({ dataDir });
  const { id, ask, socket } = await startTalker(daemon);
  expect(Buffer.byteLength(socket)).toBeLessThan(108);
  await daemon.restart();
  expect((await ask('GET', '/commands')).status).toBe(200);
  await kill(daemon, id);
  await daemon.stop();
  expect(existsSync(join(socket, '..'))).toBe(false);
});

test('the same JSON is the same however it is written, and what no JSON can keep is refused', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  const sent = (key: string, payload: string) =>
    say(daemon, id, `{"type":"a","idempotency_key":"${key}","payload":${payload}}`);
  const written = [
    ['-0', '0', '0.0', '0e5', '-0.0'],
    ['{"a":[-0,{"b":1e2}]}', '{"a":[0,{"b":100}]}', '{"a":[0.0,{"b":1.0e2}]}'],
    ['12345678901234567890', '12345678901234567000'],
    ['1e-999', '0'],
    ['"\\u00e9"', '"é"'],
    ['{"b":1,"a":2}', '{"a":2,"b":1}'],
  ];
  for (const [i, [first = '', ...others]] of written.entries()) {
    const made = await sent(`k${i}`, first);
    expect(made.status).toBe(200);
    for (const other of [first, ...others]) expect((await sent(`k${i}`, other)).body).toEqual(made.body);
    const end = (result: string) =>
      ask('POST', `/commands/${i + 1}/finish`, `{"status":"completed","result":${result}}`);
    const over = await end(first);
    for (const other of [first, ...others]) expect((await end(other)).body).toEqual(over.body);
    expect((await end('"another"')).status).toBe(409);
  }
  const { seq } = (await say(daemon, id, { type: 'last' })).body;
  for (const large of ['1e999', '-1e999', '[1,{"a":1e400}]', `1${'0'.repeat(400)}`]) {
    const refusals = [
      await sent('large', large),
      await ask('POST', `/commands/${seq}/finish`, `{"status":"completed","result":${large}}`),
      await ask('POST', '/event', `{"name":"a","data":${large}}`),
    ];
    for (const { status, body } of refusals)
      expect([status, body.error.message]).toEqual([
        400,
        expect.stringContaining('has a number that is too large'),
      ]);
  }
});

test('a page has so many bytes at most, and the next goes on after it', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  const payload = 'x'.repeat(65_000);
  for (let i = 0; i < 40; i++) await say(daemon, id, { type: 'a', payload });
  for (const from of [
    (path: string) => ask('GET', path),
    (path: string) => http(daemon.url).get(`/api/v1/tasks/${id}${path}`),
  ]) {
    const seqs: number[] = [];
    for (let after = 0, pages = 0; ; pages++) {
      const { text, body } = await from(`/commands?limit=200&after_seq=${after}`);
      expect(text.length).toBeLessThan(1_200_000);
      expect(body.last_seq).toBe(body.commands.at(-1)?.seq ?? after);
      if (body.commands.length === 0) {
        expect(pages).toBeGreaterThan(1);
        break;
      }
      seqs.push(...body.commands.map(({ seq }: CommandView) => seq));
      after = body.last_seq;
    }
    expect(seqs).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  }
});

test('who waits in an attempt that has ended is answered when another follows, and waits no longer', async () => {
  const daemon = await startDaemon();
  const policy = { retry: { max_attempts: 2, backoff_ms: 600_000 } };
  const { id, ask } = await startTalker(daemon, 'until [ -e go ]; do sleep 0.02; done; exit 1', { policy });
  const own = ask('GET', '/commands?wait_ms=60000');
  const listed = page(daemon, id, '?wait_ms=60000');
  await http(daemon.url).request('PUT', `/api/v1/tasks/${id}/files/go`, {
    body: 'x',
    headers: { 'content-type': 'application/octet-stream' },
  });
  expect([401, 410]).toContain((await own).status);
  // Who waits outside waits for what is said to the task, whatever attempt it is at.
  await say(daemon, id, { type: 'a' });
  expect((await listed).commands).toMatchObject([{ seq: 1 }]);
});

test('commands with times that are none are shown, and can be finished', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  const times = [2n ** 63n - 1n, -(2n ** 63n), 8_640_000_000_000_001n, -8_640_000_000_000_001n];
  for (const _ of times) await say(daemon, id, { type: 'a' });
  await daemon.stop();
  const db = new Database(join(daemon.dataDir, 'runtime.db'));
  const odd = db.prepare(
    "UPDATE task_commands SET created_at_ms = ?, acknowledged_at_ms = ?, status = 'acknowledged' WHERE seq = ?",
  );
  for (const [i, time] of times.entries()) odd.run(time, time, i + 1);
  db.close();
  await daemon.restart();
  const shown = (await page(daemon, id)).commands;
  expect(shown).toHaveLength(4);
  for (const { created_at, acknowledged_at } of shown)
    expect([created_at, acknowledged_at]).toEqual(['1970-01-01T00:00:00.000Z', undefined]);
  expect((await ask('GET', '/commands')).body.commands).toHaveLength(4);
  for (const { seq } of shown)
    expect((await ask('POST', `/commands/${seq}/finish`, { status: 'completed' })).status).toBe(200);
});
