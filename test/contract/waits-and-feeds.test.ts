import { expect, test } from 'vitest';
import type { EventPage, EventView, WaitAnswer } from '../../src/client/index.js';
import { ExecgoClient } from '../../src/client/index.js';
import {
  command,
  type Daemon,
  execgo,
  http,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
} from '../harness/index.js';

const wait = async (daemon: Daemon, query: string) =>
  (await http(daemon.url).get<WaitAnswer>(`/api/v1/wait?${query}`)).body;
const statuses = ({ tasks }: WaitAnswer) => tasks.map(({ task_id, status }) => `${task_id} ${status}`);
const kill = (daemon: Daemon, id: string) => http(daemon.url).post(`/api/v1/tasks/${id}/kill`);

test('a wait is over when one task, or each, has ended, and tells how all are', async () => {
  const daemon = await startDaemon();
  await submitAndWait(daemon, command('true', [], { task_id: 'over' }));
  for (const task_id of ['a', 'b']) await submit(daemon, command('sleep', ['600'], { task_id }));
  const at = await wait(daemon, 'ids=over,a&mode=any&wait_ms=60000');
  expect([at.met, ...statuses(at)]).toEqual([true, 'over success', 'a running']);
  const any = wait(daemon, 'ids=b,a&mode=any&wait_ms=60000');
  const all = wait(daemon, 'ids=a,b&wait_ms=60000');
  expect((await wait(daemon, 'ids=a,b&wait_ms=1')).met).toBe(false);
  await kill(daemon, 'a');
  const one = await any;
  expect([one.met, ...statuses(one)]).toEqual([true, 'b running', 'a cancelled']);
  await kill(daemon, 'b');
  expect(statuses(await all)).toEqual(['a cancelled', 'b cancelled']);
});

test('execgo wait --any shows what has ended', async () => {
  const daemon = await startDaemon();
  for (const task_id of ['a', 'b']) await submit(daemon, command('sleep', ['600'], { task_id }));
  const client = new ExecgoClient({ server: daemon.url });
  const waiting = execgo(['wait', '--any', 'a', 'b'], { daemon });
  await submit(daemon, command('sh', ['-c', 'exit 3'], { task_id: 'c' }));
  await kill(daemon, 'b');
  const { code, stdout } = await waiting;
  expect([code, JSON.parse(stdout)]).toMatchObject([143, { task_id: 'b', status: 'cancelled' }]);
  const unknown = await execgo(['wait', '--any', 'a', 'nobody'], { daemon });
  expect([unknown.code, unknown.stdout, unknown.stderr]).toEqual([
    1,
    '',
    expect.stringContaining('task not found: nobody'),
  ]);
  const late = await execgo(['wait', '--any', 'a', '--timeout-ms', '1'], { daemon });
  expect(late.code).toBe(124);
  const three = await execgo(['wait', '--any', 'a', 'c'], { daemon });
  expect([three.code, JSON.parse(three.stdout)]).toMatchObject([3, { task_id: 'c' }]);
  client.close();
});

test('events are told by type and by what their tasks are, and each knows its place in its task', async () => {
  const daemon = await startDaemon();
  const context = (queue: string, team: string) => ({
    control_context: { queue, tenant: `${queue}-tenant`, group: `${team}-group`, labels: { team } },
  });
  await submitAndWait(daemon, command('true', [], { task_id: 'good', ...context('q', 'x') }));
  await submitAndWait(daemon, command('false', [], { task_id: 'bad', ...context('q', 'y') }));
  await submitAndWait(daemon, command('false', [], { task_id: 'other', ...context('r', 'x') }));
  const { get } = http(daemon.url);
  const where = async (query: string) => (await get<EventPage>(`/api/v1/events?${query}`)).body;
  const found = async (query: string) =>
    (await where(query)).events.map(({ task_id, event_type }) => `${task_id} ${event_type}`);
  expect(await found('event_type=failed,finished')).toEqual(['good finished', 'bad failed', 'other failed']);
  expect(await found('event_type=failed&queue=q')).toEqual(['bad failed']);
  expect(await found('event_type=started&tenant=r-tenant')).toEqual(['other started']);
  expect(await found('event_type=submitted&group=x-group')).toEqual(['good submitted', 'other submitted']);
  expect(await found('group=nobody')).toEqual([]);
  expect((await get('/api/v1/events?group=')).status).toBe(400);
  expect(await found('event_type=submitted&label=team%3Dx')).toEqual(['good submitted', 'other submitted']);
  expect(await found('event_type=submitted&queue=q&label=team')).toEqual(['good submitted', 'bad submitted']);
  const all = (await get<EventView[]>('/api/v1/events?limit=1000')).body;
  const ofOne = (await get<EventView[]>('/api/v1/tasks/bad/events')).body;
  expect(ofOne.map(({ task_seq }) => task_seq)).toEqual(ofOne.map((_, i) => i + 1));
  expect(all.filter(({ task_id }) => task_id === 'bad')).toEqual(ofOne);
  const late = (await get<EventView[]>(`/api/v1/tasks/bad/events?after_seq=${ofOne[2]!.seq}`)).body;
  expect(late).toEqual(ofOne.slice(3));
  expect((await where('queue=q&event_type=failed')).events[0]).toEqual(
    ofOne.find(({ event_type }) => event_type === 'failed'),
  );
  // Pages of one, each from where the one before has looked.
  const paged: string[] = [];
  for (let after = 0; ;) {
    const { events, last_seq } = await where(`queue=q&limit=1&after_seq=${after}`);
    paged.push(...events.map(({ seq }) => String(seq)));
    if (last_seq === after) break;
    after = last_seq;
  }
  expect(paged).toEqual(all.filter(({ task_id }) => task_id !== 'other').map(({ seq }) => String(seq)));
  const cli = await execgo(['events', '--type', 'failed', '--queue', 'q'], { daemon });
  expect([cli.code, JSON.parse(cli.stdout).task_id]).toEqual([0, 'bad']);
  const grouped = await execgo(['events', '--type', 'failed', '--group', 'x-group'], { daemon });
  expect([grouped.code, JSON.parse(grouped.stdout).task_id]).toEqual([0, 'other']);
  const typo = await execgo(['events', '--type', 'fail'], { daemon });
  expect([typo.code, typo.stderr]).toEqual([
    1,
    expect.stringContaining('--type: must be some of submitted,'),
  ]);
  const mixed = await execgo(['events', 'bad', '--type', 'failed'], { daemon });
  expect(mixed.code).toBe(2);
});

test('who follows some events is told each as it happens, and one who waits is told the first', async () => {
  const daemon = await startDaemon();
  const client = new ExecgoClient({ server: daemon.url });
  const stop = new AbortController();
  const seen: EventView[] = [];
  const following = (async () => {
    const filter = { event_type: ['failed' as const], queue: 'q' };
    for await (const event of client.followEvents({ afterSeq: 0, filter, signal: stop.signal }))
      seen.push(event);
  })();
  const waiting = client.eventsWhere({ event_type: ['failed'] }, { waitMs: 60_000 });
  for (const [task_id, program, queue] of [
    ['a', 'true', 'q'],
    ['b', 'false', 'r'],
    ['c', 'false', 'q'],
  ] as const)
    await submitAndWait(daemon, command(program, [], { task_id, control_context: { queue } }));
  expect((await waiting).events).toMatchObject([{ task_id: 'b' }]);
  await waitFor(() => seen.length === 1);
  expect(seen).toMatchObject([{ task_id: 'c', event_type: 'failed' }]);
  stop.abort();
  await expect(following).rejects.toThrow();
  client.close();
});
