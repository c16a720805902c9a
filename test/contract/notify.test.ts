import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import type { NotificationView } from '../../src/task/notification-view.js';
import type { TaskView } from '../../src/task/view.js';
import {
  command,
  type Daemon,
  execgo,
  http,
  type Receiver,
  script,
  startDaemon,
  startReceiver,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
} from '../harness/index.js';

const notify = (url: string, more: object = {}, when?: string[]) => ({
  policy: { notify: [{ when, webhook: { url, ...more } }] },
});
const QUICK = ['--webhook-retry-ms', '1'];

/** A daemon that may send to a receiver, and a directory of secrets of its own. */
async function daemonFor(receiver: Receiver, flags: string[] = []): Promise<Daemon & { secrets: string }> {
  const secrets = tempDir();
  const own = ['--webhook-allow', receiver.host, '--webhook-secrets', secrets, ...QUICK];
  return Object.assign(await startDaemon({ flags: [...own, ...flags] }), { secrets });
}

async function notifications(daemon: Daemon, id: string): Promise<NotificationView[]> {
  return (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body.notifications ?? [];
}

/** What has become of the messages about a task, once none is pending. */
async function settled(daemon: Daemon, id: string): Promise<NotificationView[]> {
  return waitFor(
    async () => {
      const all = await notifications(daemon, id);
      return all.length > 0 && all.every(({ state }) => state !== 'pending') ? all : undefined;
    },
    { what: `the end of the messages about ${id}` },
  );
}

async function metric(daemon: Daemon, line: string): Promise<number> {
  const { text } = await http(daemon.url).get('/metrics');
  return Number(
    text
      .split('\n')
      .find((each) => each.startsWith(`execgo_runtime_${line} `))
      ?.split(' ')[1],
  );
}

test('an end is told once, signed as the library of Standard Webhooks asks, and the task shows it', async () => {
  const receiver = await startReceiver();
  const daemon = await daemonFor(receiver);
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  writeFileSync(join(daemon.secrets, 'ci'), secret);
  const url = `${receiver.url}/hook/s3cr3t-path?token=s3cr3t-query`;
  const context = { control_context: { tenant: 'ci', queue: 'q', labels: { a: 'b' } } };
  const id = await submit(daemon, script('exit 3', { ...context, ...notify(url, { secret_ref: 'ci' }) }));
  const [shown, ...more] = await settled(daemon, id);
  expect(more).toEqual([]);
  expect(shown).toMatchObject({
    ...{ source: 'task', to: receiver.url, signed: true },
    ...{ state: 'delivered', attempts: 1, http_status: 204 },
  });
  expect(shown).not.toHaveProperty('error');
  expect(shown).not.toHaveProperty('next_attempt_at');
  const [message] = receiver.received;
  expect(receiver.received).toHaveLength(1);
  expect(message!.path).toBe('/hook/s3cr3t-path?token=s3cr3t-query');
  expect(message!.headers).toMatchObject({
    'content-type': 'application/json',
    'webhook-id': shown!.webhook_id,
  });
  expect(new Webhook(secret).verify(message!.text, message!.headers as never)).toEqual(message!.body);
  const { body: task } = await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`);
  expect(message!.body).toMatchObject({ type: 'task.ended', timestamp: task.finished_at });
  expect(message!.body.data).toMatchObject({
    ...{ task_id: id, status: 'failed', cause: 'exit', exit_code: 3, tenant: 'ci', queue: 'q' },
    ...{ labels: { a: 'b' }, version: task.version, error: { code: 'exit_nonzero' } },
  });
  // Neither the secret nor what of the URL may be one.
  const told = JSON.stringify([
    task.notifications,
    (await http(daemon.url).get('/api/v1/runtime/config')).body,
  ]);
  expect(told + daemon.output()).not.toMatch(/s3cr3t|whsec_/);
  expect(await metric(daemon, 'notifications_total{state="delivered"}')).toBe(1);
  expect(await metric(daemon, 'notifications_pending')).toBe(0);
});

test('only the ends are told that are asked for, whatever word says it', async () => {
  const receiver = await startReceiver();
  const daemon = await daemonFor(receiver);
  const told = async (request: (more: object) => object, when?: string[]) =>
    (await submitAndWait(daemon, request(notify(receiver.url, {}, when)))).notifications?.length ?? 0;
  const failing = (more: object) => script('exit 3', more);
  const killed = (more: object) => script('kill -9 $$', more);
  const timed = (more: object) => script('sleep 600', { ...more, limits: { wall_time_ms: 50 } });
  const good = (more: object) => command('true', [], more);
  expect(await told(good)).toBe(1);
  expect(await told(good, ['success'])).toBe(1);
  expect(await told(good, ['exit'])).toBe(1);
  expect(await told(good, ['failed', 'cancelled'])).toBe(0);
  expect(await told(failing, ['failed'])).toBe(1);
  expect(await told(failing, ['success', 'signal'])).toBe(0);
  expect(await told(killed, ['signal'])).toBe(1);
  expect(await told(timed, ['timeout'])).toBe(1);
  // An attempt that another follows is no end.
  const retry = { max_attempts: 2, backoff_ms: 0 };
  const twice = (more: { policy?: object }) =>
    script('exit $((2 - EXECGO_ATTEMPT))', { policy: { ...more.policy, retry } });
  expect(await told(twice, ['failed'])).toBe(0);
  expect(await told(twice)).toBe(1);
  // One that is cancelled while it waits has ended, too.
  await http(daemon.url).put('/api/v1/queues/p', { paused: true });
  const waiting = await submit(
    daemon,
    command('true', [], { ...notify(receiver.url, {}, ['cancelled']), control_context: { queue: 'p' } }),
  );
  await http(daemon.url).post(`/api/v1/tasks/${waiting}/kill`);
  expect(await settled(daemon, waiting)).toMatchObject([{ state: 'delivered' }]);
});

test('a message is tried again until it is taken, under the same id', async () => {
  const receiver = await startReceiver((_, response, n) => {
    if (n === 1) response.socket?.destroy();
    else response.writeHead([0, 0, 500, 302, 404][n] ?? 200, { location: '/elsewhere' }).end('no');
  });
  const daemon = await daemonFor(receiver);
  const id = await submit(daemon, command('true', [], notify(receiver.url)));
  const [shown] = await settled(daemon, id);
  expect(shown).toMatchObject({ state: 'delivered', attempts: 5, http_status: 200 });
  expect(receiver.received).toHaveLength(5);
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(
    new Set([shown!.webhook_id]),
  );
  expect(new Set(receiver.received.map(({ text }) => text)).size).toBe(1);
  expect(receiver.received.every(({ path }) => path === '/')).toBe(true);
});

test('what is given up is told: after so many attempts, and at once where a receiver wants no more', async () => {
  const receiver = await startReceiver(({ path }, response) => {
    response.writeHead(path === '/gone' ? 410 : 503).end();
  });
  const daemon = await daemonFor(receiver, ['--webhook-max-attempts', '3']);
  const busy = await submit(daemon, command('true', [], notify(`${receiver.url}/busy`)));
  const gone = await submit(daemon, command('true', [], notify(`${receiver.url}/gone`)));
  expect(await settled(daemon, busy)).toMatchObject([
    { state: 'given_up', attempts: 3, http_status: 503, error: 'the receiver answered 503' },
  ]);
  expect(await settled(daemon, gone)).toMatchObject([{ state: 'given_up', attempts: 1, http_status: 410 }]);
  const logged = daemon.logs().filter(({ msg }) => msg === 'a message was not delivered, and is given up');
  expect(logged.map(({ task_id }) => task_id).sort()).toEqual([busy, gone].sort());
  expect(await metric(daemon, 'notifications_total{state="given_up"}')).toBe(2);
});

test('what is older than it may be is given up, and an answer says when to come again', async () => {
  const receiver = await startReceiver((_, response) => {
    response.writeHead(429, { 'retry-after': '3600' }).end();
  });
  const daemon = await daemonFor(receiver, ['--webhook-max-age-secs', '60']);
  const id = await submit(daemon, command('true', [], notify(receiver.url)));
  // An hour is longer than it may be tried.
  expect(await settled(daemon, id)).toMatchObject([{ state: 'given_up', attempts: 1, http_status: 429 }]);
  await daemon.restart({ flags: ['--webhook-allow', receiver.host, '--webhook-max-age-secs', '86400'] });
  const next = await submit(daemon, command('true', [], notify(receiver.url)));
  const pending = await waitFor(
    async () => (await notifications(daemon, next)).find(({ attempts }) => attempts === 1),
    {
      what: 'the first attempt',
    },
  );
  expect(pending.state).toBe('pending');
  expect(Date.parse(pending.next_attempt_at!) - Date.now()).toBeGreaterThan(3_000_000);
});

test('messages outlive their daemon and their task', async () => {
  let isOpen = false;
  const receiver = await startReceiver((_, response) => {
    response.writeHead(isOpen ? 200 : 500).end();
  });
  const daemon = await daemonFor(receiver);
  const id = await submit(daemon, command('true', [], notify(receiver.url)));
  await waitFor(() => receiver.received.length > 1, { what: 'the second attempt' });
  await daemon.kill();
  await daemon.restart({ flags: ['--webhook-allow', receiver.host, ...QUICK] });
  expect((await http(daemon.url).delete(`/api/v1/tasks/${id}`)).status).toBe(200);
  isOpen = true;
  await waitFor(async () => (await metric(daemon, 'notifications_total{state="delivered"}')) === 1, {
    what: 'the delivery',
  });
  expect(receiver.received.at(-1)!.body.data).toMatchObject({ task_id: id });
  expect(await metric(daemon, 'notifications_pending')).toBe(0);
});

test('a dead receiver holds up nobody else, and no host has more than a few at once', async () => {
  const dead = await startReceiver(() => undefined);
  const receiver = await startReceiver();
  const daemon = await daemonFor(receiver, ['--webhook-allow', 'localhost']);
  const { port } = new URL(dead.url);
  const ids = await Promise.all(
    Array.from({ length: 20 }, () => submit(daemon, command('true', [], notify(`http://localhost:${port}`)))),
  );
  await waitFor(() => dead.most() === 4, { what: 'four at once' });
  const id = await submit(daemon, command('true', [], notify(receiver.url)));
  expect(await settled(daemon, id)).toMatchObject([{ state: 'delivered' }]);
  expect(dead.most()).toBe(4);
  expect(await notifications(daemon, ids[0]!)).toMatchObject([{ state: 'pending' }]);
});

test('who may not be sent to is refused at once, and at the delivery, where that has changed', async () => {
  const receiver = await startReceiver();
  const daemon = await startDaemon({ flags: QUICK });
  const refused = async (list: unknown) =>
    (await http(daemon.url).post('/api/v1/tasks', command('true', [], { policy: { notify: list } }))).body
      .error;
  expect(await refused([{ webhook: { url: receiver.url } }])).toMatchObject({
    code: 'permission_denied',
    message: `permission denied: policy.notify.0.webhook.url: ${receiver.host} is not among those to whom this daemon may send; its operator allows them with --webhook-allow`,
    details: { field: 'policy.notify.0.webhook.url', host: '127.0.0.1' },
  });
  const dry = await http(daemon.url).post(
    '/api/v1/tasks?dry_run=true',
    command('true', [], notify(receiver.url)),
  );
  expect(dry.status).toBe(403);
  await daemon.restart({ flags: [...QUICK, '--webhook-allow', receiver.host] });
  await http(daemon.url).put('/api/v1/queues/p', { paused: true });
  const id = await submit(
    daemon,
    command('true', [], { ...notify(receiver.url), control_context: { queue: 'p' } }),
  );
  await daemon.restart({ flags: [...QUICK, '--webhook-max-attempts', '2'] });
  await http(daemon.url).put('/api/v1/queues/p', {});
  expect(await settled(daemon, id)).toMatchObject([
    { state: 'given_up', attempts: 2, error: expect.stringContaining('is not among those') },
  ]);
  expect(receiver.received).toHaveLength(0);
});

const BAD: [unknown, string][] = [
  [{}, 'policy.notify: '],
  [[{}], 'policy.notify.0.webhook: '],
  [[{ webhook: {} }], 'policy.notify.0.webhook.url: '],
  [[{ webhook: { url: 5 } }], 'policy.notify.0.webhook.url: '],
  [[{ webhook: { url: 'example.com' } }], 'policy.notify.0.webhook.url: must be a URL'],
  [
    [{ webhook: { url: 'file:///etc/passwd' } }],
    'policy.notify.0.webhook.url: must begin with https:// or http://',
  ],
  [[{ webhook: { url: 'ftp://example.com' } }], 'policy.notify.0.webhook.url: must begin with'],
  [[{ webhook: { url: 'https://user:pass@example.com' } }], 'policy.notify.0.webhook.url: must hold no user'],
  [[{ webhook: { url: 'https://example.com/#x' } }], 'policy.notify.0.webhook.url: must hold no "#"'],
  [
    [{ webhook: { url: `https://example.com/${'x'.repeat(2048)}` } }],
    'policy.notify.0.webhook.url: must have at most',
  ],
  [
    [{ webhook: { url: 'https://example.com', secret: 'x' } }],
    'policy.notify.0.webhook: has no field "secret"',
  ],
  [
    [{ webhook: { url: 'https://example.com', secret_ref: '../x' } }],
    'policy.notify.0.webhook.secret_ref: must be 1 to',
  ],
  [
    [{ webhook: { url: 'https://example.com', secret_ref: '..' } }],
    'policy.notify.0.webhook.secret_ref: must be 1 to',
  ],
  [
    [{ webhook: { url: 'https://example.com', secret_ref: 'none' } }],
    'policy.notify.0.webhook.secret_ref: the daemon has no secret "none"',
  ],
  [[{ url: 'https://example.com' }], 'policy.notify.0'],
  [
    [{ when: [], webhook: { url: 'https://example.com' } }],
    'policy.notify.0.when: must name a status or a cause',
  ],
  [[{ when: ['done'], webhook: { url: 'https://example.com' } }], 'policy.notify.0.when.0: '],
  [[{ when: ['accepted'], webhook: { url: 'https://example.com' } }], 'policy.notify.0.when.0: '],
  [
    Array(11).fill({ webhook: { url: 'https://example.com' } }),
    'policy.notify: must have at most 10 entries',
  ],
];

test('bad input is refused by name, and leaves nothing behind', async () => {
  const daemon = await startDaemon({ flags: ['--webhook-allow', 'example.com'] });
  for (const [list, why] of BAD) {
    const request = command('true', [], { policy: { notify: list } });
    const answer = await http(daemon.url).post('/api/v1/tasks', request);
    expect(answer.status, why).toBe(400);
    expect(answer.body.error.message).toContain(`invalid input: ${why}`);
  }
  expect((await http(daemon.url).get('/api/v1/tasks')).body.tasks).toEqual([]);
});

test('a test message tells whether it has arrived, also at the command line', async () => {
  const receiver = await startReceiver(({ path }, response) => {
    response.writeHead(path === '/bad' ? 500 : 200).end();
  });
  const daemon = await daemonFor(receiver);
  const secret = `whsec_${randomBytes(24).toString('base64')}`;
  writeFileSync(join(daemon.secrets, 'ci'), secret);
  const cli = (...words: string[]) => execgo(['notify', 'test', ...words], { daemon });
  const good = await cli('--secret', 'ci', receiver.url);
  expect(good).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(good.stdout)).toMatchObject({
    delivered: true,
    signed: true,
    http_status: 200,
    to: receiver.url,
  });
  const { text, headers, body } = receiver.received[0]!;
  expect(body.type).toBe('test');
  expect(new Webhook(secret).verify(text, headers as never)).toEqual(body);
  const bad = await cli(`${receiver.url}/bad`);
  expect(bad).toMatchObject({
    code: 1,
    stderr: `execgo: not delivered to ${receiver.url}: the receiver answered 500\n`,
  });
  expect(await cli('https://example.com/')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('example.com:443 is not among those to whom this daemon may send'),
  });
  expect(await cli('--secret', 'other', receiver.url)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--secret: the daemon has no secret "other"'),
  });
  expect(await cli('example.com')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('must be a URL'),
  });
  expect(await cli()).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("missing required argument 'url'"),
  });
  expect(receiver.received).toHaveLength(2);
  const wrong = await http(daemon.url).post('/api/v1/notify/test', { url: receiver.url });
  expect(wrong).toMatchObject({ status: 400 });
});

test('flags of submit say whom to tell', async () => {
  const receiver = await startReceiver();
  const daemon = await daemonFor(receiver);
  const cli = (...words: string[]) => execgo(['submit', ...words, '--', 'false'], { daemon });
  const done = await cli(
    '--notify',
    receiver.url,
    '--notify',
    `${receiver.url}/2`,
    '--notify-on',
    'failed, oom',
  );
  expect(done).toMatchObject({ code: 0, stderr: '' });
  const id = done.stdout.trim();
  expect(await settled(daemon, id)).toMatchObject([{ state: 'delivered' }, { state: 'delivered' }]);
  expect(await cli('--notify', 'https://example.com')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^execgo: permission denied: --notify: example\.com:443 is not among those/,
    ),
  });
  expect(await cli('--notify', 'nowhere')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('invalid input: --notify: must be a URL'),
  });
  expect(await cli('--notify', receiver.url, '--notify-on', 'done')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--notify-on'),
  });
  expect(await cli('--notify', receiver.url, '--notify-secret', 'x')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--notify-secret: the daemon has no secret "x"'),
  });
  expect(await cli('--notify-on', 'failed')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--notify-on goes with --notify'),
  });
});

test('a daemon with a wrong list of hosts does not start, and says why', async () => {
  await expect(startDaemon({ flags: ['--webhook-allow', 'https://example.com'] })).rejects.toThrow(
    '--webhook-allow: "https://example.com" is a URL: write HOST or HOST:PORT',
  );
  await expect(startDaemon({ flags: ['--webhook-secrets', 'relative'] })).rejects.toThrow(
    '--webhook-secrets must be an absolute path',
  );
});

test('a queue tells of the ends of all of its tasks, by its rule at that time', async () => {
  const receiver = await startReceiver();
  const daemon = await daemonFor(receiver);
  const rule = '/api/v1/queues/q';
  const inQueue = (more: object = {}) => ({ control_context: { queue: 'q' }, ...more });
  const list = [{ when: ['failed'], webhook: { url: `${receiver.url}/queue` } }];
  const put = await http(daemon.url).put(rule, { notify: list });
  expect(put.body.rule.notify).toEqual(list);
  await submitAndWait(daemon, command('true', [], inQueue()));
  const own = notify(`${receiver.url}/own`);
  const both = await submit(daemon, script('exit 3', inQueue(own)));
  const shown = await settled(daemon, both);
  expect(shown.map(({ source, state }) => [source, state])).toEqual([
    ['task', 'delivered'],
    ['queue', 'delivered'],
  ]);
  expect(receiver.received.map(({ path }) => path).sort()).toEqual(['/own', '/queue']);
  await submitAndWait(daemon, script('exit 3'));
  // Over a restart, and no more once it is taken away.
  await daemon.restart({ flags: ['--webhook-allow', receiver.host, ...QUICK] });
  expect((await http(daemon.url).get(rule)).body.rule.notify).toEqual(list);
  const again = await submit(daemon, script('exit 3', inQueue()));
  expect(await settled(daemon, again)).toMatchObject([{ source: 'queue', state: 'delivered' }]);
  await http(daemon.url).put(rule, { max_running: 1 });
  const last = await submitAndWait(daemon, script('exit 3', inQueue()));
  expect(last).not.toHaveProperty('notifications');
  expect(receiver.received).toHaveLength(3);
  expect(daemon.output()).not.toContain(`${receiver.url}/queue`);
});

test('what a queue is to tell is checked as that of a task, also at the command line', async () => {
  const receiver = await startReceiver();
  const daemon = await daemonFor(receiver);
  const rule = '/api/v1/queues/q';
  const refused = async (list: unknown) => (await http(daemon.url).put(rule, { notify: list })).body.error;
  expect(await refused([{ webhook: { url: 'https://example.com' } }])).toMatchObject({
    code: 'permission_denied',
    message: expect.stringContaining('permission denied: notify.0.webhook.url: example.com:443 is not among'),
  });
  expect(await refused([{ webhook: { url: 'x' } }])).toMatchObject({
    message: expect.stringContaining('notify.0.webhook.url: must be a URL'),
  });
  expect((await http(daemon.url).get(rule)).status).toBe(404);
  const cli = (...words: string[]) => execgo(['queue', ...words], { daemon });
  const set = async (...words: string[]) => {
    const done = await cli('set', 'q', ...words);
    expect(done).toMatchObject({ code: 0, stderr: '' });
    return (JSON.parse(done.stdout) as { rule: { notify?: { webhook: { url: string } }[] } }).rule.notify;
  };
  const [one, two] = [`${receiver.url}/1`, `${receiver.url}/2`];
  expect(await set('--notify', one, '--notify-on', 'failed,lost')).toEqual([
    { when: ['failed', 'lost'], webhook: { url: one } },
  ]);
  // What no flag names stays; who is named again is told as was said last.
  expect(await set('--max-running', '3')).toHaveLength(1);
  expect((await set('--notify', two))?.map(({ webhook }) => webhook.url)).toEqual([one, two]);
  expect(await set('--notify', one)).toEqual([{ webhook: { url: two } }, { webhook: { url: one } }]);
  expect((await cli('show', 'q')).code).toBe(0);
  expect(await set('--clear-notify')).toBeUndefined();
  expect(await cli('set', 'q', '--notify', 'https://example.com')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('example.com:443 is not among those'),
  });
  expect(await cli('set', 'q', '--notify-on', 'failed')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--notify-on goes with --notify'),
  });
});

test('the tasks of a schedule tell of their ends, and whom is checked as it is made', async () => {
  const receiver = await startReceiver();
  const daemon = await daemonFor(receiver);
  const schedule = (name: string, url: string) =>
    http(daemon.url).post('/api/v1/schedules', {
      ...{ name, interval_ms: 86_400_000 },
      task: command('true', [], notify(url)),
    });
  expect((await schedule('good', receiver.url)).status).toBe(200);
  expect((await schedule('bad', 'https://example.com')).body.error).toMatchObject({
    code: 'permission_denied',
    message: expect.stringContaining('example.com:443 is not among those'),
  });
  const run = await http(daemon.url).post('/api/v1/schedules/good/run');
  expect(run.status, run.text).toBe(200);
  expect(await settled(daemon, run.body.task_id as string)).toMatchObject([{ state: 'delivered' }]);
});
