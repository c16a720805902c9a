import { expect, test } from 'vitest';
import type { SessionReadMark, SessionView } from '../../src/client/index.js';
import {
  execgo,
  http,
  inTerminal,
  script,
  startDaemon,
  submit,
  submitAndWait,
  type Daemon,
} from '../harness/index.js';

const PATH = '/api/v1/sessions';
const inS = (session_id: string, text: string) => script(text, { control_context: { session_id } });
const mark = (daemon: Daemon, path: string, body?: unknown) =>
  http(daemon.url).request<SessionReadMark & { error: { message: string } }>('PUT', `${PATH}/${path}`, {
    ...(body === undefined ? {} : { body }),
  });
const unread = async (daemon: Daemon, reader: string, more = '') => {
  const { body } = await http(daemon.url).get<{ sessions: SessionView[] }>(
    `${PATH}?reader=${reader}&unread=true${more}`,
  );
  return body.sessions.map(({ session_id }) => session_id);
};
const show = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<SessionView>(`${PATH}/${id}`)).body;

test('a reader is shown the sessions in which something has happened since, also after a restart', async () => {
  const daemon = await startDaemon();
  for (const session_id of ['a', 'b', 'c']) await http(daemon.url).post(PATH, { session_id });
  await submitAndWait(daemon, inS('a', 'true'));
  expect(await unread(daemon, 'ann')).toEqual(['c', 'b', 'a']);
  const { version, last_event_seq } = await show(daemon, 'a');
  expect((await mark(daemon, 'a/read/ann')).body).toEqual({
    ...{ session_id: 'a', reader: 'ann', version, event_seq: last_event_seq },
  });
  await mark(daemon, 'b/read/ann', {});
  expect(await unread(daemon, 'ann')).toEqual(['c']);
  expect(await unread(daemon, 'bob')).toEqual(['c', 'b', 'a']);
  expect(await unread(daemon, 'ann', '&state=ended')).toEqual([]);
  await daemon.kill();
  await daemon.restart();
  expect(await unread(daemon, 'ann')).toEqual(['c']);
  // Neither what is said of it nor what its tasks do is missed.
  await http(daemon.url).request('PATCH', `${PATH}/b`, { body: { title: 'new' } });
  await submit(daemon, inS('a', 'sleep 600'));
  expect(await unread(daemon, 'ann')).toEqual(['c', 'b', 'a']);
  expect((await show(daemon, 'a')).readers).toEqual([
    { reader: 'ann', version, event_seq: last_event_seq, unread: true },
  ]);
  // What was seen is what was shown, although more has happened since.
  await mark(daemon, 'a/read/ann', { event_seq: last_event_seq });
  expect(await unread(daemon, 'ann')).toContain('a');
  await mark(daemon, 'b/read/ann', { version: 1 });
  expect(await unread(daemon, 'ann')).toContain('b');
  await mark(daemon, 'b/read/ann');
  expect(await unread(daemon, 'ann')).not.toContain('b');
  await http(daemon.url).delete(`${PATH}/b`);
  await http(daemon.url).post(PATH, { session_id: 'b' });
  expect(await unread(daemon, 'ann')).toContain('b');
  expect(await show(daemon, 'b')).not.toHaveProperty('readers');
});

test('what is not understood marks nothing, and a session has no more readers than it may', async () => {
  const daemon = await startDaemon();
  await http(daemon.url).post(PATH, { session_id: 's', tenant: 'acme' });
  const wrong: [path: string, body: unknown, status: number, said: string][] = [
    ['s/read/ann', { version: 2 }, 400, 'and has never had 2'],
    ['s/read/ann', { event_seq: 1 }, 400, 'the last event of the session is 0, not 1'],
    ['s/read/ann', { version: -1 }, 400, 'version'],
    ['s/read/ann', { event_seq: 'x' }, 400, 'event_seq'],
    ['s/read/ann', { until: 1 }, 400, 'until'],
    ['s/read/ann', [], 400, 'body'],
    ['s/read/a%20nn', undefined, 400, 'reader: must be'],
    [`s/read/${'x'.repeat(129)}`, undefined, 400, 'reader: must be'],
    ['no/read/ann', undefined, 404, 'session not found: no'],
    ['s/read/ann?tenant=other', undefined, 404, 'session not found: s'],
  ];
  for (const [path, body, status, said] of wrong) {
    const answer = await mark(daemon, path, body);
    expect([path, answer.status, answer.body.error.message]).toEqual([
      ...[path, status, expect.stringContaining(said)],
    ]);
  }
  const { get } = http(daemon.url);
  for (const query of ['reader=ann', 'unread=true', 'reader=&unread=true', 'reader=a&unread=no'])
    expect((await get(`${PATH}?${query}`)).status).toBe(400);
  expect(await show(daemon, 's')).not.toHaveProperty('readers');
  for (let i = 0; i < 64; i++) expect((await mark(daemon, `s/read/r${i}`)).status).toBe(200);
  expect((await mark(daemon, 's/read/r65')).status).toBe(429);
  expect((await mark(daemon, 's/read/r0', { version: 0 })).status).toBe(200);
  expect(await unread(daemon, 'r0')).toEqual(['s']);
  expect((await show(daemon, 's')).readers).toHaveLength(64);
});

test('the command line marks sessions and shows what is unread', async () => {
  const daemon = await startDaemon();
  for (const session_id of ['a', 'b']) await http(daemon.url).post(PATH, { session_id });
  const run = (...args: string[]) => execgo(['session', ...args], { daemon });
  const read = await run('read', '--reader', 'ann', 'a', 'no');
  expect([read.code, JSON.parse(read.stdout)]).toMatchObject([1, { session_id: 'a', reader: 'ann' }]);
  expect(read.stderr).toContain('no: session not found: no');
  expect(JSON.parse((await run('list', '--unread-by', 'ann')).stdout).sessions).toMatchObject([
    { session_id: 'b' },
  ]);
  await submitAndWait(daemon, inS('a', 'true'));
  const terminal = inTerminal(['session', 'show', 'a'], { daemon });
  expect(await terminal.ended).toBe(0);
  expect(terminal.shown()).toMatch(/unread by.* ann/);
  const wrong: [args: string[], code: number, said: string][] = [
    [['a'], 2, '--reader'],
    [['--reader', 'ann'], 2, "missing required argument 'sessions'"],
    [['--reader', 'a b', 'a'], 1, 'the reader: must be'],
    [['--reader', 'ann', '--up-to', '9999', 'a'], 1, '--up-to: the last event'],
    [['--reader', 'ann', '--up-to-version', '9', 'a'], 1, '--up-to-version: the session has version 1'],
    [['--reader', 'ann', '--up-to', 'x', 'a'], 2, '"x"'],
  ];
  for (const [args, code, said] of wrong) {
    const answer = await run('read', ...args);
    expect([args, answer.code, answer.stderr]).toEqual([args, code, expect.stringContaining(said)]);
  }
});
