import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import type { GroupView } from '../../src/task/groups.js';
import type { TaskView } from '../../src/task/view.js';
import {
  command,
  type Daemon,
  execgo,
  http,
  inTerminal,
  type Receiver,
  startDaemon,
  startReceiver,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

async function daemonFor(receiver: Receiver, flags: string[] = []): Promise<Daemon & { secrets: string }> {
  const secrets = tempDir();
  const own = ['--webhook-allow', receiver.host, '--webhook-secrets', secrets, '--webhook-retry-ms', '1'];
  return Object.assign(await startDaemon({ flags: [...own, ...flags] }), { secrets });
}

const member = (group: string, policy: object = {}, more: object = {}) => ({
  control_context: { group, ...more },
  policy,
});
const telling = (url: string, when?: string[], secret_ref?: string) => ({
  group_notify: [{ when, webhook: { url, secret_ref } }],
});
const view = async (daemon: Daemon, path: string) =>
  (await http(daemon.url).get<GroupView>(`/api/v1/groups/${path}`)).body;

/** A group, once so many messages about it are there and none is pending. */
function settled(daemon: Daemon, path: string, messages: number): Promise<GroupView> {
  return waitFor(
    async () => {
      const group = await view(daemon, path);
      const all = group.notifications ?? [];
      return all.length === messages && all.every(({ state }) => state !== 'pending') ? group : undefined;
    },
    { what: `${messages} messages about ${path}` },
  );
}

test('a group tells once that it is done, signed, with its last task, and its view and that task show it', async () => {
  const receiver = await startReceiver();
  const daemon = await daemonFor(receiver, ['--max-running-tasks', '1']);
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  writeFileSync(join(daemon.secrets, 'ci'), secret);
  const url = `${receiver.url}/hook/s3cr3t-path`;
  const t = { tenant: 't' };
  const runs = await submit(daemon, command('sleep', ['600'], member('g', telling(url, undefined, 'ci'), t)));
  await submit(daemon, command('false', [], member('g', {}, t)));
  const last = await submit(daemon, command('true', [], member('g', {}, t)));
  // Another tenant's of the same name is another group.
  await submit(daemon, command('true', [], member('g')));
  const before = await view(daemon, 'g?tenant=t');
  expect(before).toMatchObject({ done: false, notifications: [] });
  expect(before.notify).toEqual([{ to: receiver.url, signed: true }]);
  await http(daemon.url).post(`/api/v1/tasks/${runs}/kill?grace_ms=0`);
  const after = await settled(daemon, 'g?tenant=t', 1);
  expect(after.notifications).toMatchObject([
    { source: 'group', to: receiver.url, signed: true, state: 'delivered', attempts: 1, http_status: 204 },
  ]);
  const task = (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${last}`)).body;
  expect(task.notifications).toEqual(after.notifications);
  expect(receiver.received).toHaveLength(1);
  const [message] = receiver.received;
  expect(new Webhook(secret).verify(message!.text, message!.headers as never)).toEqual(message!.body);
  expect(message!.body).toEqual({
    type: 'group.done',
    timestamp: task.finished_at,
    data: { group: 'g', tenant: 't', status: 'failed', success: 1, failed: 1, cancelled: 1, task_id: last },
  });
  expect(await view(daemon, 'g')).not.toHaveProperty('notify');
  expect(JSON.stringify([after, task.notifications]) + daemon.output()).not.toMatch(/s3cr3t|whsec_/);
});

test('it tells each time that it is done, when it has gone as is asked for, and as the last task has said', async () => {
  const receiver = await startReceiver();
  const daemon = await daemonFor(receiver);
  const paths = () => receiver.received.map(({ path }) => path);
  const on = (when: string[]) => telling(`${receiver.url}/${when.join()}`, when);
  await submitAndWait(daemon, command('true', [], member('g', on(['success']))));
  await settled(daemon, 'g', 1);
  await submitAndWait(daemon, command('true', [], member('g', on(['failed', 'cancelled']))));
  const there = join(tempDir(), 'there');
  await submitAndWait(daemon, command('test', ['-e', there], member('g')));
  await settled(daemon, 'g', 2);
  expect(paths()).toEqual(['/success', '/failed,cancelled']);
  // What failed and is run again counts no more.
  await submitAndWait(daemon, command('true', [], member('g', on(['success']))));
  writeFileSync(there, '');
  const { body } = await http(daemon.url).post('/api/v1/groups/g/retry');
  expect(body.tasks).toHaveLength(1);
  await settled(daemon, 'g', 3);
  expect(paths()).toEqual(['/success', '/failed,cancelled', '/success']);
  await submitAndWait(daemon, command('true', [], member('g', { group_notify: [] })));
  const silent = await view(daemon, 'g');
  expect(silent.notify).toEqual([]);
  expect(silent.notifications).toHaveLength(3);
  // One whose tasks were all cancelled, over a restart; and each of a list is told.
  await http(daemon.url).put('/api/v1/queues/p', { paused: true });
  const both = {
    group_notify: [...on(['cancelled']).group_notify, ...telling(`${receiver.url}/any`).group_notify],
  };
  const id = await submit(daemon, command('true', [], member('h', both, { queue: 'p' })));
  await daemon.restart({ flags: ['--webhook-allow', receiver.host] });
  await http(daemon.url).post(`/api/v1/tasks/${id}/kill`);
  await settled(daemon, 'h', 2);
  expect(paths().slice(3).sort()).toEqual(['/any', '/cancelled']);
  expect(receiver.received.at(-1)!.body.data).toMatchObject({ status: 'cancelled', cancelled: 1 });
});

test('a message about a group that is stopped comes when the last of the rest has ended, and outlives its tasks', async () => {
  let isOpen = false;
  const receiver = await startReceiver((_, response) => {
    response.writeHead(isOpen ? 200 : 500).end();
  });
  const daemon = await daemonFor(receiver, ['--max-running-tasks', '2']);
  const policy = { ...telling(receiver.url, ['failed']), max_failures: 1 };
  const runs = await submit(daemon, command('sleep', ['600'], member('g', policy)));
  const waits = await submit(daemon, command('true', [], member('g', { after: [{ task_id: runs }] })));
  const bad = await submitAndWait(daemon, command('false', [], member('g')));
  for (const id of [runs, waits]) expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'cancelled' });
  await waitFor(() => receiver.received.length > 1, { what: 'the second attempt' });
  for (const id of [runs, waits, bad.task_id]) await http(daemon.url).delete(`/api/v1/tasks/${id}`);
  expect((await http(daemon.url).get('/api/v1/groups/g')).status).toBe(404);
  isOpen = true;
  const delivered = async () =>
    (await http(daemon.url).get('/metrics')).text.includes(
      'execgo_runtime_notifications_total{state="delivered"} 1\n',
    );
  await waitFor(delivered, { what: 'the delivery' });
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(receiver.received.at(-1)!.body.data).toMatchObject({ group: 'g', status: 'failed', failed: 1 });
});

test('whom nobody can read is told nothing, and the group is done all the same', async () => {
  const receiver = await startReceiver();
  const daemon = await daemonFor(receiver);
  for (const odd of ['[5]', '[{"webhook":{"url":5}}]', '[{"when":["oom"],"webhook":{"url":"x"}}]', '[[]]']) {
    const id = await submit(
      daemon,
      command('true', [], member('g', { ...telling(receiver.url), hold: true })),
    );
    await daemon.stop();
    const db = new Database(join(daemon.dataDir, 'runtime.db'));
    db.prepare('UPDATE groups SET notify = ?').run(odd);
    db.close();
    await daemon.restart();
    expect(await view(daemon, 'g')).toMatchObject({ notify: [], notifications: [] });
    await http(daemon.url).post(`/api/v1/tasks/${id}/release`);
    expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'success' });
    expect(await view(daemon, 'g')).toMatchObject({ done: true, notifications: [] });
  }
  expect(receiver.received).toEqual([]);
});

const WEBHOOK = { url: 'https://example.com' };
const BAD: [unknown, string][] = [
  [{}, 'policy.group_notify: '],
  [[{}], 'policy.group_notify.0.webhook: '],
  [[{ webhook: { url: 'x' } }], 'policy.group_notify.0.webhook.url: must be a URL'],
  [[{ when: [], webhook: WEBHOOK }], 'policy.group_notify.0.when: must name a status'],
  [[{ when: ['oom'], webhook: WEBHOOK }], 'policy.group_notify.0.when.0: '],
  [[{ when: ['running'], webhook: WEBHOOK }], 'policy.group_notify.0.when.0: '],
  [
    [{ webhook: { ...WEBHOOK, secret_ref: 'none' } }],
    'policy.group_notify.0.webhook.secret_ref: the daemon has no secret "none"',
  ],
  [[{ webhook: WEBHOOK, more: 1 }], 'policy.group_notify.0: has no field "more"'],
  [Array(11).fill({ webhook: WEBHOOK }), 'policy.group_notify: must have at most 10 entries'],
];

test('bad input is refused by name, also in what follows a task, and makes no group', async () => {
  const daemon = await startDaemon({ flags: ['--webhook-allow', 'example.com'] });
  const post = async (request: object) => {
    const { status, body } = await http(daemon.url).post('/api/v1/tasks', request);
    return `${status} ${body.error.message}`;
  };
  for (const [group_notify, why] of BAD)
    expect(await post(command('true', [], member('g', { group_notify })))).toContain(
      `400 invalid input: ${why}`,
    );
  expect(await post(command('true', [], { policy: { group_notify: [{ webhook: WEBHOOK }] } }))).toContain(
    '400 invalid input: policy.group_notify: goes with control_context.group, of which it tells',
  );
  const elsewhere = command('true', [], member('g', telling('https://example.org')));
  expect(await post(elsewhere)).toContain(
    '403 permission denied: policy.group_notify.0.webhook.url: example.org:443 is not among those',
  );
  expect(await post(command('true', [], { policy: { on_end: [{ submit: elsewhere }] } }))).toContain(
    '403 permission denied: policy.on_end.0.submit.policy.group_notify.0.webhook.url: example.org:443',
  );
  expect((await http(daemon.url).get('/api/v1/groups')).body.groups).toEqual([]);
});

test('at the command line', async () => {
  const receiver = await startReceiver((_, response) => {
    response.writeHead(410).end();
  });
  const daemon = await daemonFor(receiver);
  const add = (...words: string[]) => execgo(['submit', ...words, '--', 'true'], { daemon });
  const told = ['--group-notify', `${receiver.url}/1`, '--group-notify', `${receiver.url}/2`];
  expect(await add('--group', 'g', ...told, '--group-notify-on', 'success, failed')).toMatchObject({
    code: 0,
    stderr: '',
  });
  await settled(daemon, 'g', 2);
  const shown = await execgo(['group', 'show', 'g'], { daemon });
  expect(JSON.parse(shown.stdout)).toMatchObject({
    notify: Array(2).fill({ when: ['success', 'failed'], to: receiver.url, signed: false }),
    notifications: Array(2).fill({ state: 'given_up', attempts: 1, http_status: 410 }),
  });
  const terminal = inTerminal(['group', 'show', 'g'], { daemon, columns: 200 });
  expect(await terminal.ended).toBe(0);
  const message = `  message to ${receiver.url}: given up after 1 attempt (the receiver answered 410)\n`;
  expect(terminal.shown()).toBe(
    `g  done  0 waiting, 0 running, 1 success, 0 failed, 0 cancelled\n${`  tells ${receiver.url} when success, failed\n`.repeat(2)}${message.repeat(2)}`,
  );
  for (const [code, words, why] of [
    [1, ['--group', 'h', '--group-notify', 'x'], 'invalid input: --group-notify: must be a URL'],
    [
      1,
      ['--group', 'h', '--group-notify', 'https://example.com'],
      'permission denied: --group-notify: example',
    ],
    [1, ['--group', 'h', ...told, '--group-notify-on', 'oom'], '--group-notify-on: '],
    [1, ['--group', 'h', ...told, '--group-notify-secret', 'x'], '--group-notify-secret: the daemon has no'],
    [1, told, '--group-notify: goes with --group, of which it tells'],
    [2, ['--group', 'h', '--group-notify-on', 'failed'], '--group-notify-on goes with --group-notify'],
    [2, ['--group', 'h', '--group-notify-secret', 'x'], '--group-notify-secret goes with --group-notify'],
  ] as const)
    expect(await add(...words), words.join(' ')).toMatchObject({
      code,
      stderr: expect.stringContaining(why),
    });
});
