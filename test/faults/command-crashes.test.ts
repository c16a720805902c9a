import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CrashPoint } from '../../src/executor/crash-point.js';
import type { CommandPage, CommandView, EventView, TaskView } from '../../src/client/index.js';
import { startTalker, say, told, type Talker } from '../contract/talk.js';
import { type Daemon, http, startDaemon, tempDir, waitForEnd } from '../harness/index.js';

const page = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<CommandPage>(`/api/v1/tasks/${id}/commands`)).body.commands;
const events = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<EventView[]>(`/api/v1/tasks/${id}/events`)).body;

/** A daemon that dies at a point from when it is armed on, and a task of it. */
async function started(
  point: CrashPoint,
  ...task: [then?: string, more?: object]
): Promise<{ daemon: Daemon; talker: Talker; arm: () => void }> {
  const armed = join(tempDir(), 'armed');
  const daemon = await startDaemon({ env: { EXECGO_DAEMON_CRASH_AT: `${point}@${armed}` } });
  const talker = await startTalker(daemon, ...task);
  const arm = () => writeFileSync(armed, '');
  return { daemon, talker, arm };
}

async function dead(daemon: Daemon): Promise<void> {
  expect(await daemon.exited()).toEqual({ code: null, signal: 'SIGKILL' });
  await daemon.restart({ env: {} });
}

/** What is told of commands follows from what is written, each once. */
async function expectSound(daemon: Daemon, id: string): Promise<void> {
  const history = await events(daemon, id);
  const of = (type: string) => history.filter(({ event_type }) => event_type === type);
  const seqs = (type: string) => of(type).map(({ data }) => (data as { seq: number }).seq);
  const all = await page(daemon, id);
  expect(seqs('command_added')).toEqual(all.map(({ seq }) => seq));
  const finished = all.filter(({ status }) => status === 'completed' || status === 'failed');
  expect(seqs('command_finished').sort()).toEqual(finished.map(({ seq }) => seq));
  const cancelled = all.filter(({ status }) => status === 'cancelled').map(({ seq }) => seq);
  expect(of('commands_cancelled').flatMap(({ data }) => (data as { seqs: number[] }).seqs)).toEqual(
    cancelled,
  );
}

test.each(['before_command_commit', 'after_command_commit'] as const)(
  'the daemon dies at %s: who sends the same key again has said it once',
  async (point) => {
    const { daemon, talker, arm } = await started(point);
    arm();
    const body = { type: 'a', payload: [1], idempotency_key: 'k' };
    await expect(say(daemon, talker.id, body)).rejects.toThrow();
    await dead(daemon);
    const there = await page(daemon, talker.id);
    expect(there).toHaveLength(point === 'after_command_commit' ? 1 : 0);
    expect((await say(daemon, talker.id, body)).body).toMatchObject({ seq: 1, status: 'pending' });
    expect((await talker.ask('GET', '/commands')).body.commands).toMatchObject([{ seq: 1 }]);
    await expectSound(daemon, talker.id);
  },
);

const POINTS = ['before_command_change', 'after_command_change'] as const;
const SAID = [
  ['ack', undefined, 'acknowledged'],
  ['finish', { status: 'completed', result: { x: 1 } }, 'completed'],
] as const;

test.each(POINTS.flatMap((point) => SAID.map((said) => [point, ...said] as const)))(
  'the daemon dies at %s of %s: that is written as a whole, or not, and the task can say it again',
  async (point, what, body, status) => {
    const { daemon, talker, arm } = await started(point);
    await say(daemon, talker.id, { type: 'a' });
    arm();
    await expect(talker.ask('POST', `/commands/1/${what}`, body)).rejects.toThrow();
    await dead(daemon);
    const [before] = await page(daemon, talker.id);
    expect(before?.status).toBe(point === 'after_command_change' ? status : 'pending');
    const again = await talker.ask('POST', `/commands/1/${what}`, body);
    expect([again.status, again.body]).toMatchObject([200, { status }]);
    await expectSound(daemon, talker.id);
  },
);

test.each([
  'before_result_written',
  'after_result_written',
  'after_end_commit',
  'before_kill_commit',
  'after_kill_told',
] as const)(
  'the daemon dies at %s: what was open is cancelled with the end of its task, once',
  async (point) => {
    const { daemon, talker, arm } = await started(point);
    const { id, ask } = talker;
    for (const type of ['a', 'b', 'c']) await say(daemon, id, { type });
    await ask('POST', '/commands/1/finish', { status: 'completed' });
    await ask('POST', '/commands/2/ack');
    arm();
    const kill = () => http(daemon.url).post(`/api/v1/tasks/${id}/kill?grace_ms=0`);
    await kill().catch(() => undefined);
    await dead(daemon);
    await kill();
    await waitForEnd(daemon, id);
    expect((await page(daemon, id)).map(({ status }: CommandView) => status)).toEqual([
      ...['completed', 'cancelled', 'cancelled'],
    ]);
    await expectSound(daemon, id);
  },
);

test.each(['before_retry_commit', 'after_retry_commit'] as const)(
  'the daemon dies at %s: what was open is there for the next attempt',
  async (point) => {
    const go = join(tempDir(), 'go');
    const body = `until [ -e ${go} ]; do sleep 0.02; done; exit $((EXECGO_ATTEMPT == 1))`;
    const policy = { retry: { max_attempts: 2, backoff_ms: 0 } };
    const { daemon, talker, arm } = await started(point, body, { policy });
    const { id, token, ask } = talker;
    await say(daemon, id, { type: 'a' });
    await ask('POST', '/commands/1/ack');
    arm();
    writeFileSync(go, '');
    expect(await daemon.exited()).toEqual({ code: null, signal: 'SIGKILL' });
    rmSync(go);
    await daemon.restart({ env: {} });
    let second = await told(daemon, id);
    while (second.token === token) second = await told(daemon, id);
    expect((await second.ask('GET', '/commands')).body.commands).toMatchObject([
      { seq: 1, status: 'acknowledged' },
    ]);
    await second.ask('POST', '/commands/1/finish', { status: 'completed' });
    writeFileSync(go, '');
    await waitForEnd(daemon, id);
    await expectSound(daemon, id);
  },
);

test.each(['before_progress_commit', 'after_progress_commit'] as const)(
  'the daemon dies at %s: how far a task is, is written with its event, or not, and it can say it again',
  async (point) => {
    const { daemon, talker, arm } = await started(point);
    const { id, ask } = talker;
    const shown = async () =>
      (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body.progress?.percent;
    const told = async () =>
      (await events(daemon, id)).flatMap(({ event_type, data }) => (event_type === 'progress' ? [data] : []));
    arm();
    await expect(ask('POST', '/progress', { percent: 10 })).rejects.toThrow();
    await dead(daemon);
    const isWritten = point === 'after_progress_commit';
    expect([await shown(), await told()]).toEqual(isWritten ? [10, [{ percent: 10 }]] : [undefined, []]);
    expect((await ask('POST', '/progress', { percent: 10 })).body).toEqual({ task_id: id, written: true });
    expect(await shown()).toBe(10);
  },
);

test.each(['before_task_event_commit', 'after_task_event_commit'] as const)(
  'the daemon dies at %s: an event of a task is there or not, and the next comes after it',
  async (point) => {
    const { daemon, talker, arm } = await started(point);
    const { id, ask } = talker;
    const names = async () =>
      (await events(daemon, id)).flatMap(({ event_type, data }) =>
        event_type === 'task_event' ? [data] : [],
      );
    arm();
    await expect(ask('POST', '/event', { name: 'a' })).rejects.toThrow();
    await dead(daemon);
    const first = point === 'after_task_event_commit' ? [{ name: 'a' }] : [];
    expect(await names()).toEqual(first);
    expect((await ask('POST', '/event', { name: 'b' })).status).toBe(200);
    expect(await names()).toEqual([...first, { name: 'b' }]);
  },
);
