import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ExecgoClient, type EventPage, type EventView } from '../../src/client/index.js';
import type { SessionOutputPage } from '../../src/task/session-output.js';
import {
  command,
  execgo,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
  type Daemon,
} from '../harness/index.js';

const PATH = '/api/v1/sessions';
const inS = (text: string, more: object = {}) =>
  script(text, { control_context: { session_id: 's' }, ...more });
const page = async (daemon: Daemon, query = '') =>
  (await http(daemon.url).get<SessionOutputPage>(`${PATH}/s/output${query}`)).body;
const make = (daemon: Daemon, more: object = {}) => http(daemon.url).post(PATH, { session_id: 's', ...more });
/** All pages from the beginning on, with so many bytes each. */
async function all(daemon: Daemon, limit: number, more = '') {
  const pieces: SessionOutputPage['pieces'] = [];
  for (let after = ''; ;) {
    const found = await page(daemon, `?limit=${limit}${more}${after}`);
    expect(found.pieces.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0)).toBeLessThanOrEqual(
      limit,
    );
    pieces.push(...found.pieces);
    if (!found.more) return { pieces, next: found.next };
    after = `&after=${found.next}`;
  }
}
const joined = (pieces: SessionOutputPage['pieces']) => {
  const texts = new Map<string, string>();
  for (const { task_id, attempt, stream, offset, data } of pieces) {
    const key = `${task_id} ${attempt} ${stream}`;
    expect(offset).toBe(Buffer.byteLength(texts.get(key) ?? ''));
    texts.set(key, (texts.get(key) ?? '') + data);
  }
  return [...texts];
};

test('output comes task by task and attempt by attempt, in pages of any size, each byte once', async () => {
  const daemon = await startDaemon();
  await make(daemon);
  await submitAndWait(daemon, command('echo', ['not in it']));
  await submitAndWait(daemon, inS('echo ein Öl; echo err >&2', { task_id: 'a' }));
  await submitAndWait(daemon, inS('true', { task_id: 'silent' }));
  const retry = { retry: { max_attempts: 2, backoff_ms: 0 } };
  await submitAndWait(
    daemon,
    inS('[ -e x ] && { echo again; exit; }; touch x; echo first; exit 1', { task_id: 'b', policy: retry }),
  );
  await submitAndWait(daemon, inS('echo end', { task_id: 'c' }));
  const expected = [
    ['a 1 stdout', 'ein Öl\n'],
    ['a 1 stderr', 'err\n'],
    ['b 1 stdout', 'first\n'],
    ['b 2 stdout', 'again\n'],
    ['c 1 stdout', 'end\n'],
  ];
  for (const limit of [4, 5, 7, 65_536]) expect(joined((await all(daemon, limit)).pieces)).toEqual(expected);
  expect(joined((await all(daemon, 9, '&stream=stderr')).pieces)).toEqual([expected[1]]);
  const exact = await all(daemon, 65_536, '&encoding=base64');
  expect(exact.pieces.map(({ data }) => Buffer.from(data, 'base64').toString())).toEqual(
    expected.map(([, text]) => text),
  );
  // What a deleted task has written is gone; who has read up to there goes on behind it.
  const { next } = await page(daemon, '?limit=7');
  await http(daemon.url).delete('/api/v1/tasks/a');
  expect(joined((await page(daemon, `?after=${next}`)).pieces)).toEqual(expected.slice(2));
  // Where all was read more comes later.
  const { next: end } = await all(daemon, 100);
  expect(await page(daemon, `?after=${end}`)).toMatchObject({ pieces: [], more: false });
  await submitAndWait(daemon, inS('echo more', { task_id: 'd' }));
  expect(joined((await page(daemon, `?after=${end}`)).pieces)).toEqual([['d 1 stdout', 'more\n']]);
});

test('a task that runs is read as far as it is, and what comes after it waits', async () => {
  const daemon = await startDaemon();
  await make(daemon, { concurrency: 2 });
  await submit(
    daemon,
    inS('echo 1; while ! [ -e go ]; do sleep 0.02; done; echo 2; echo e >&2', { task_id: 'a' }),
  );
  await submitAndWait(daemon, inS('echo later', { task_id: 'b' }));
  await waitFor(async () => (await page(daemon)).pieces.length === 1, { what: 'the first line' });
  const first = await page(daemon);
  expect(joined(first.pieces)).toEqual([['a 1 stdout', '1\n']]);
  expect(await page(daemon, `?after=${first.next}`)).toMatchObject({
    pieces: [],
    more: false,
    next: first.next,
  });
  await new ExecgoClient({ server: daemon.url }).files.write({ session: 's' }, 'go', Buffer.from(''));
  await waitForEnd(daemon, 'a');
  await daemon.kill();
  await daemon.restart();
  const rest = await page(daemon, `?after=${first.next}`);
  expect(rest.pieces.map((piece) => [piece.task_id, piece.stream, piece.offset, piece.data])).toEqual([
    ['a', 'stdout', 2, '2\n'],
    ['a', 'stderr', 0, 'e\n'],
    ['b', 'stdout', 0, 'later\n'],
  ]);
});

test('what was not kept or is gone is told and holds nothing up', async () => {
  const daemon = await startDaemon();
  await make(daemon);
  const limits = { stdout_max_bytes: 100, stdout_keep_bytes: 100 };
  await submitAndWait(daemon, inS('seq 100000', { task_id: 'a', limits }));
  const gone = await submitAndWait(daemon, inS('echo gone', { task_id: 'b' }));
  await submitAndWait(daemon, inS('echo c', { task_id: 'c' }));
  rmSync(join(gone.artifacts.task_dir, 'stdout.log'));
  const { pieces } = await all(daemon, 65_536);
  expect(pieces[0]).toMatchObject({ task_id: 'a', offset: 0, next_offset: 100 });
  expect(pieces[1]).toMatchObject({ task_id: 'a', omitted_bytes: pieces[1]!.offset - 100 });
  expect(pieces.at(-1)).toMatchObject({ task_id: 'c', data: 'c\n' });
  expect(pieces.some(({ task_id }) => task_id === 'b')).toBe(false);
});

test('an earlier session of the same name is another one', async () => {
  const daemon = await startDaemon();
  await make(daemon, { tenant: 'acme' });
  const hers = { control_context: { session_id: 's', tenant: 'acme' } };
  await submitAndWait(daemon, script('echo secret', hers));
  await http(daemon.url).delete(`${PATH}/s`);
  await make(daemon, { tenant: 'other' });
  const events = async () => (await http(daemon.url).get<EventPage>(`${PATH}/s/events`)).body.events;
  expect([(await page(daemon)).pieces, await events()]).toEqual([[], []]);
  const own = await submitAndWait(
    daemon,
    script('echo own', { control_context: { session_id: 's', tenant: 'other' } }),
  );
  expect((await page(daemon)).pieces.map(({ data }) => data)).toEqual(['own\n']);
  expect(new Set((await events()).map(({ task_id }) => task_id))).toEqual(new Set([own.task_id]));
});

test('events of all tasks of a session come in one order, paged', async () => {
  const daemon = await startDaemon();
  await make(daemon);
  const { get } = http(daemon.url);
  const events = async (query = '') => (await get<EventPage>(`${PATH}/s/events${query}`)).body;
  expect((await events()).events).toEqual([]);
  const ids: string[] = [];
  for (let i = 0; i < 4; i++) {
    await submitAndWait(daemon, command('true'));
    ids.push((await submitAndWait(daemon, inS('true'))).task_id);
  }
  const feed = (await get<EventView[]>('/api/v1/events?limit=1000')).body.filter((e) =>
    ids.includes(e.task_id),
  );
  const found: EventView[] = [];
  for (let after = 0; ;) {
    const part = await events(`?limit=5&after_seq=${after}`);
    if (part.events.length === 0) break;
    expect(part.events.length).toBeLessThanOrEqual(5);
    found.push(...part.events);
    after = part.last_seq;
  }
  expect(found).toEqual(feed);
  const finished = await events('?event_type=finished,failed');
  expect(finished.events.map(({ event_type }) => event_type)).toEqual(Array(4).fill('finished'));
  const next = events(`?after_seq=${feed.at(-1)!.seq}&wait_ms=60000`);
  await submitAndWait(daemon, inS('true', { task_id: 'new' }));
  expect((await next).events[0]?.task_id).toBe('new');
});

test('what is asked for wrongly, or of no session, is refused', async () => {
  const daemon = await startDaemon();
  await make(daemon, { tenant: 'acme' });
  const { get } = http(daemon.url);
  const of = (text: string) => Buffer.from(text).toString('base64url');
  const wrong: [path: string, status: number, said: string][] = [
    ['no/output', 404, 'session not found: no'],
    ['s/output?tenant=other', 404, 'session not found'],
    ['no/events', 404, 'session not found: no'],
    ['s/events?tenant=other', 404, 'session not found'],
    ['s/output?after=x', 400, 'after: is not one'],
    ['s/output?after=', 400, 'after: must not be empty'],
    [`s/output?after=${of('output:1:0:0:0')}`, 400, 'after: is not one'],
    [`s/output?after=${of('output:1:1:0:-1')}`, 400, 'after: is not one'],
    [`s/output?after=${of('output:01:1:0:0')}`, 400, 'after: is not one'],
    [`s/output?after=${of('output:9999999999999999:1:0:0')}`, 400, 'after: is not one'],
    ['s/output?limit=3', 400, 'limit: must be from 4'],
    ['s/output?limit=5000000', 400, 'limit: must be from 4'],
    ['s/output?stream=both', 400, 'stream: must be given once'],
    ['s/output?encoding=hex', 400, 'encoding: must be given once'],
    ['s/events?limit=0', 400, 'limit: must be from 1'],
    ['s/events?after_seq=x', 400, 'after_seq: must be'],
    ['s/events?event_type=done', 400, 'must be some of submitted'],
  ];
  for (const [path, status, said] of wrong)
    expect(await get(`${PATH}/${path}`), path).toMatchObject({
      ...{ status, body: { error: { message: expect.stringContaining(said) } } },
    });
  expect((await get(`${PATH}/s/output?after=${of('output:999:1:0:0')}`)).body).toMatchObject({ pieces: [] });
});

test('the command line shows the output of a session', async () => {
  const daemon = await startDaemon();
  await make(daemon);
  await submitAndWait(daemon, inS('echo one; echo err >&2', { task_id: 'a' }));
  await submitAndWait(daemon, inS('printf "two\\377"', { task_id: 'b' }));
  const logs = await execgo(['session', 'logs', 's'], { daemon });
  expect([logs.code, logs.stderr]).toEqual([0, 'err\n']);
  expect(logs.stdout).toMatch(/^==> a <==\none\n\n==> b <==\ntwo/);
  const errors = await execgo(['session', 'logs', 's', '--stream', 'stderr'], { daemon });
  expect([errors.stdout, errors.stderr]).toEqual(['==> a <==\n', 'err\n']);
  const wrong: [args: string[], code: number, said: string][] = [
    [[], 2, "missing required argument 'session'"],
    [['no'], 1, 'session not found: no'],
    [['s', '--stream', 'x'], 2, 'stdout, stderr, both'],
    [['s', '--tenant', 'other'], 1, 'session not found: s'],
  ];
  for (const [args, code, said] of wrong) {
    const answer = await execgo(['session', 'logs', ...args], { daemon });
    expect([answer.code, answer.stderr]).toEqual([code, expect.stringContaining(said)]);
  }
});
