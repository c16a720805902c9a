import { expect, test } from 'vitest';
import type { CommandPage } from '../../src/client/index.js';
import { EXECGO_IN_TASK, execgo, http, script, startDaemon, submit, waitForEnd } from '../harness/index.js';
import { reachableDataDir } from '../limits/support.js';
import { say, startTalker } from './talk.js';

/** What a task does that is told something twice. */
const WORK = `
set -e
x='${EXECGO_IN_TASK}'
$x command next --ack >first
grep -q '"status": "acknowledged"' first
$x commands >open
grep -q '"last_seq": 1' open
$x command finish 1 --result '{"saved":"x"}' >finished
$x command next --after 1 >second
$x command ack 2 >read
$x command finish 2 --error 'no such layer' >failed
if $x command next --wait 1ms; then exit 9; else test $? = 124; fi
if $x command ack 3; then exit 9; else test $? = 1; fi
`;
const NAMESPACES = { mount: true, pid: true, uts: true, ipc: true, net: true };

test.each([
  ['as the user of the daemon', [], {}],
  ['under --task-user', ['--task-user', 'nobody'], {}],
  ['in namespaces', [], { sandbox: { profile: 'linux_sandbox', namespaces: NAMESPACES } }],
  [
    'in namespaces and with limits under --task-user',
    ['--task-user', 'nobody'],
    { sandbox: { profile: 'linux_sandbox', namespaces: NAMESPACES }, limits: { memory_bytes: 2 ** 30 } },
  ],
] as const)('a task reads what it is told and answers, %s', async (_how, flags, more) => {
  const daemon = await startDaemon({ dataDir: reachableDataDir(), flags: [...flags] });
  const id = await submit(daemon, script(WORK, more));
  const sent = await execgo(['command', 'send', id, 'save', '{"epoch":4}', '--key', 'k', '--wait', '60s'], {
    daemon,
  });
  expect([sent.stderr, sent.code, JSON.parse(sent.stdout)]).toMatchObject([
    ...['', 0],
    { seq: 1, type: 'save', payload: { epoch: 4 }, status: 'completed', result: { saved: 'x' } },
  ]);
  const failed = await execgo(['command', 'send', id, 'drop', '--wait', '60s'], { daemon });
  expect([failed.code, JSON.parse(failed.stdout)]).toMatchObject([
    1,
    { seq: 2, status: 'failed', error: 'no such layer', payload: null },
  ]);
  const end = await waitForEnd(daemon, id);
  expect([end.status, end.stderr]).toEqual(['success', expect.stringContaining('command not found: task')]);
  const list = await execgo(['commands', id, '--after', '1'], { daemon });
  const page = JSON.parse(list.stdout) as CommandPage;
  expect(page.commands.map(({ status }) => status)).toEqual(['failed']);
  const late = await execgo(['command', 'send', id, 'late'], { daemon });
  expect([late.code, late.stderr]).toEqual([1, expect.stringContaining('has ended')]);
});

test('what has not been carried out in time is said, and mistakes are explained', async () => {
  const daemon = await startDaemon();
  const { id } = await startTalker(daemon);
  const pending = await execgo(['command', 'send', id, 'a', '--wait', '1ms'], { daemon });
  expect([pending.code, pending.stderr]).toEqual([
    124,
    expect.stringContaining('has not carried out command 1 yet: it is pending'),
  ]);
  for (const [args, problem] of [
    [['command', 'send', id, 'a', '{'], 'the payload is not JSON'],
    [['command', 'send', id], "missing required argument 'type'"],
    [['command', 'next'], 'EXECGO_TASK_SOCKET and EXECGO_TASK_TOKEN are not set'],
    [['command', 'ack', '1'], 'are not set'],
    [['command', 'ack', 'x'], '"x" is not the number of a command'],
    [['command', 'finish', '1', '--result', '{'], '--result is not JSON'],
    [['commands'], 'name a task'],
    [['commands', id, '-n', '0'], '-n must be from 1 to 200'],
    [['command'], 'execgo command what?'],
  ] as const) {
    const { code, stderr } = await execgo([...args], { daemon });
    expect([code, stderr]).toEqual([2, expect.stringContaining(problem)]);
  }
  expect((await execgo(['commands', 'nobody'], { daemon })).stderr).toContain('task not found: nobody');
  expect(
    (await http(daemon.url).get<CommandPage>(`/api/v1/tasks/${id}/commands`)).body.commands,
  ).toHaveLength(1);
});

test('inside of a task a daemon that is away is waited for, as long as was said', async () => {
  const daemon = await startDaemon();
  const talker = await startTalker(daemon);
  const env = { EXECGO_TASK_SOCKET: talker.socket, EXECGO_TASK_TOKEN: talker.token };
  await daemon.stop();
  const late = await execgo(['command', 'next', '--wait', '200ms'], { env });
  expect([late.code, late.stderr]).toEqual([124, expect.stringContaining('cannot reach execgo')]);
  const waiting = [
    ['progress', '40'],
    ['event', 'a'],
    ['command', 'next', '--wait', '60s'],
    ['commands'],
  ].map((args) => execgo(args, { env }));
  await daemon.restart();
  await say(daemon, talker.id, { type: 'a' });
  for (const { code, stderr } of await Promise.all(waiting)) expect([code, stderr]).toEqual([0, '']);
  const none = await execgo(['command', 'ack', '7'], { env });
  expect([none.code, none.stderr]).toEqual([
    1,
    expect.stringContaining('(execgo commands shows which there are)'),
  ]);
  // What is refused for now is said again, what is refused for good is not.
  const events = async () =>
    (
      await http(daemon.url).get<{ event_type: string }[]>(`/api/v1/tasks/${talker.id}/events?limit=1000`)
    ).body.filter(({ event_type }) => event_type === 'task_event').length;
  let answer = await talker.ask('POST', '/event', { name: 'b' });
  while (answer.status === 200) answer = await talker.ask('POST', '/event', { name: 'b' });
  const before = await events();
  const patient = await Promise.all(Array.from({ length: 3 }, () => execgo(['event', 'c'], { env })));
  expect(patient.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(await events()).toBe(before + 3);
});
