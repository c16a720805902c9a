import { expect, test } from 'vitest';
import {
  command,
  type Daemon,
  execgo,
  http,
  startDaemon,
  submit,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const inQueue = (queue: string) => ({ control_context: { queue } });

/** The command line against a daemon; what it prints parsed. */
function cli(daemon: Daemon) {
  return async (...args: string[]) => {
    const { code, stdout, stderr } = await execgo(['queue', ...args], { daemon });
    return { code, stderr, view: stdout === '' ? undefined : JSON.parse(stdout) };
  };
}

test('set changes what is named and keeps the rest; rm takes all of it away', async () => {
  const queue = cli(await startDaemon());
  const set = async (...args: string[]) => {
    const { code, stderr, view } = await queue('set', 'q', ...args);
    expect([code, stderr]).toEqual([0, '']);
    return view.rule;
  };
  const bare = { paused: false, priority: 0, default_limits: {}, lanes: {} };
  expect(await set('--max-running', '2', '--max-waiting', '7')).toEqual({
    ...bare,
    max_running: 2,
    max_waiting: 7,
  });
  expect(await set('--lane', 'a=b=1', '--lane', 'c=0', '--priority', '-3')).toEqual({
    ...bare,
    ...{ max_running: 2, max_waiting: 7, priority: -3 },
    lanes: { 'a=b': { max_running: 1 }, c: { max_running: 0 } },
  });
  expect(
    await set('--wall-time', '2h', '--memory', '4G', '--queue-timeout', '10s', '--max-waiting', 'none'),
  ).toEqual({
    ...{ ...bare, max_running: 2, priority: -3 },
    default_limits: { wall_time_ms: 7_200_000, memory_bytes: 2 ** 32, queue_timeout_ms: 10_000 },
    lanes: { 'a=b': { max_running: 1 }, c: { max_running: 0 } },
  });
  expect((await queue('pause', 'q')).view.rule).toMatchObject({ paused: true, max_running: 2, priority: -3 });
  expect(await set('--clear-limits', '--nice', '5', '--lane', 'a=b=none')).toEqual({
    ...{ ...bare, paused: true, max_running: 2, priority: -3 },
    default_limits: { nice: 5 },
    lanes: { c: { max_running: 0 } },
  });
  expect((await queue('resume', 'q')).view.rule).toMatchObject({ paused: false, max_running: 2 });
  expect((await queue('show', 'q')).view).toMatchObject({
    queue: 'q',
    rule: { default_limits: { nice: 5 } },
  });
  expect((await queue('list')).view.queues).toMatchObject([{ queue: 'q' }]);
  expect(await queue('rm', 'q')).toEqual({ code: 0, stderr: '', view: undefined });
  expect((await queue('list')).view).toMatchObject({ queues: [] });
});

test('what is wrong is said, with what to do', async () => {
  const daemon = await startDaemon();
  const queue = cli(daemon);
  const wrong: [args: string[], code: number, message: RegExp][] = [
    [[], 2, /execgo queue what\? See execgo queue --help/],
    [['lst'], 2, /unknown command "queue lst"; did you mean "execgo queue list"\?/],
    [['gpu'], 2, /unknown command "queue gpu"; see execgo queue --help/],
    [['show'], 2, /missing required argument 'name'; see execgo queue show --help/],
    [['show', 'a', 'b'], 2, /too many arguments/],
    [['list', '-n', '0'], 2, /-n must be from 1 to 200/],
    [['list', '--cursor', '!'], 1, /cursor: is not one that a list returned/],
    [['set', 'q'], 2, /nothing to set: see execgo queue set --help/],
    [['set', 'q', '--max-running', 'x'], 2, /"x" is not a whole number/],
    [['set', 'q', '--max-waiting', '-1'], 2, /must not be negative|argument missing|unknown option/],
    [['set', 'q', '--lane', '=1'], 2, /"=1" is not NAME=N/],
    [['set', 'q', '--lane', 'l'], 2, /"l" is not NAME=N/],
    [['set', 'q', '--memory', 'much'], 2, /"much" is not a size/],
    [['set', 'q', '--memory', '0'], 1, /default_limits\.memory_bytes: must be greater than 0/],
    [['set', ' ', '--priority', '1'], 1, /queue: must not be empty/],
    [['drain', 'q', '--timeout', '5'], 2, /"5" is not a duration/],
  ];
  for (const [args, code, message] of wrong) {
    const answer = await queue(...args);
    expect([args, answer.code, answer.stderr]).toEqual([args, code, expect.stringMatching(message)]);
  }
  for (const verb of ['show', 'rm']) {
    const { code, stderr } = await queue(verb, 'q');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/execgo queue list .*shows the queues there are/),
    ]);
  }
  expect((await http(daemon.url).get('/api/v1/queues')).body.queues).toEqual([]);
  const help = await execgo(['queue', '--help']);
  expect([help.code, help.stdout.match(/^ {2}queue \w+/gm)?.length]).toEqual([0, 7]);
  expect((await execgo(['help', 'queue', 'drain'])).stdout).toContain('--timeout <duration>');
});

test('a full queue is told with what to do about it', async () => {
  const daemon = await startDaemon();
  await cli(daemon)('set', 'q', '--max-waiting', '0');
  const { code, stderr } = await execgo(['submit', '--queue', 'q', '--', 'true'], { daemon });
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/queue q is full: its max_waiting is 0 .*execgo queue set/),
  ]);
});

test('drain starts nothing more and returns when nothing of the queue runs', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '2'] });
  const queue = cli(daemon);
  const running = await submit(daemon, command('sleep', ['600'], inQueue('q')));
  await waitFor(
    async () => (await http(daemon.url).get(`/api/v1/tasks/${running}`)).body.status === 'running',
  );
  const late = await queue('drain', 'q', '--timeout', '1ms');
  expect([late.code, late.stderr]).toEqual([124, expect.stringContaining('not drained in time')]);
  const waits = await submit(daemon, command('true', [], inQueue('q')));
  let drained = false;
  const draining = queue('drain', 'q').then((answer) => {
    drained = true;
    return answer;
  });
  await submit(daemon, command('true')).then((id) => waitForEnd(daemon, id));
  expect(drained).toBe(false);
  await http(daemon.url).post(`/api/v1/tasks/${running}/kill?grace_ms=0`);
  const { code, view } = await draining;
  expect(code).toBe(0);
  expect(view).toMatchObject({
    rule: { paused: true },
    slots_in_use: 0,
    counts: { accepted: 1, running: 0 },
  });
  await queue('resume', 'q');
  expect((await waitForEnd(daemon, waits)).status).toBe('success');
  expect((await queue('drain', 'never-seen')).view).toMatchObject({ rule: { paused: true } });
});
