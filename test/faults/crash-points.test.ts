import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CrashPoint as DaemonPoint } from '../../src/executor/crash-point.js';
import type { NotificationView } from '../../src/task/notification-view.js';
import type { EventView, TaskPage, TaskView } from '../../src/task/view.js';
import type { CrashPoint as SupervisorPoint } from '../../src/supervisor/crash-point.js';
import {
  type Daemon,
  http,
  type Receiver,
  startDaemon,
  startReceiver,
  tempDir,
  waitFor,
  waitForEnd,
  waitGone,
} from '../harness/index.js';
import { countedTask, settled, violations } from './invariants.js';

/** All of them: the types see to it that none is forgotten. */
const DAEMON_POINTS: Record<DaemonPoint, true> = {
  before_supervisor_commit: true,
  after_supervisor_commit: true,
  before_submit_commit: true,
  after_submit_commit: true,
  after_submit_launch: true,
  before_edit_commit: true,
  after_edit_commit: true,
  before_dispatch_commit: true,
  after_dispatch_commit: true,
  before_started_commit: true,
  after_started_commit: true,
  before_pause_commit: true,
  after_pause_commit: true,
  before_resume_commit: true,
  after_resume_commit: true,
  before_kill_commit: true,
  after_kill_commit: true,
  after_kill_told: true,
  before_timeout_commit: true,
  after_timeout_commit: true,
  before_result_written: true,
  after_result_written: true,
  after_end_commit: true,
  before_retry_commit: true,
  after_retry_commit: true,
  before_dependants_commit: true,
  after_dependants_commit: true,
  before_rerun_commit: true,
  after_rerun_commit: true,
  before_relaunch_commit: true,
  after_relaunch_commit: true,
  before_queue_commit: true,
  after_queue_commit: true,
  before_queue_removal: true,
  after_queue_removal: true,
  before_family_kill_commit: true,
  after_family_kill_commit: true,
  before_follow_up: true,
  after_follow_up_commit: true,
  after_group_notice_written: true,
  before_notice_sent: true,
  after_notice_sent: true,
  before_notice_commit: true,
  after_notice_commit: true,
  before_read_commit: true,
  after_read_commit: true,
  before_session_commit: true,
  after_session_commit: true,
  before_session_edit: true,
  after_session_edit: true,
  before_session_removal: true,
  after_session_removal: true,
  before_eviction_commit: true,
  after_eviction_commit: true,
  after_eviction: true,
  before_session_forgotten: true,
  after_session_forgotten: true,
  before_schedule_commit: true,
  after_schedule_commit: true,
  before_schedule_removal: true,
  after_schedule_removal: true,
  before_due_commit: true,
  after_due_commit: true,
  before_due_submit_commit: true,
  after_due_submit_commit: true,
  before_command_commit: true,
  after_command_commit: true,
  before_command_change: true,
  after_command_change: true,
  before_progress_commit: true,
  after_progress_commit: true,
  before_task_event_commit: true,
  after_task_event_commit: true,
  before_supervisor_removal: true,
  after_supervisor_removal: true,
};
const SUPERVISOR_POINTS: Record<SupervisorPoint, true> = {
  before_began: true,
  after_began: true,
  after_spawn: true,
  before_outcome_journal: true,
  after_outcome_journal: true,
  after_outcome_told: true,
  before_ack_journal: true,
};
/** These are reached before anything can be submitted. */
const AT_START: readonly string[] = ['before_supervisor_commit', 'after_supervisor_commit'];
/** These are reached only when a supervisor dies, too: before it has begun anything. */
const AFTER_A_DEATH: readonly string[] = [
  'before_relaunch_commit',
  'after_relaunch_commit',
  'before_supervisor_removal',
  'after_supervisor_removal',
];

/**
 * Submits one that succeeds, of whose end somebody is told, one that fails and is tried again, one that takes too long, one that is paused, resumed and killed,
 * one that waits for what the killed one holds and is changed meanwhile, one that is held and released, and tasks after the first,
 * after the one that is tried again and after the killed one; makes a session with a task, and deletes another while it has one;
 * runs one task again, and says of tasks and a session that they were seen. A daemon that dies answers nobody: what was not acknowledged may have happened or not, and is asked for
 * under the id it was sent with.
 */
class Workload {
  readonly acknowledged: string[] = [];
  readonly runs = join(tempDir(), 'runs');
  private readonly unanswered: string[] = [];
  private readonly endless: string[] = [];
  private readonly edited: string[] = [];
  private readonly told: string[] = [];
  /** Sessions that were made and changed, and sessions that were deleted, as was acknowledged. */
  private readonly kept: string[] = [];
  private readonly deleted: string[] = [];
  private readonly doomed: string[] = [];
  private readonly held: string[] = [];
  /** What somebody is known to have seen. */
  private readonly seen: { path: string; mark: { version: number; event_seq?: number } }[] = [];
  /** Tasks that were killed for a reason. */
  private readonly reasoned: string[] = [];
  /** Tasks, and those that they start after. */
  private readonly dependants = new Map<string, string>();
  /** Tasks that are to be run again. */
  private readonly again: string[] = [];
  private readonly families: { parent: string; below: string | undefined; isAnswered: boolean }[] = [];
  private sent = 0;
  /** Answers that the last rule of the queue may be: it was acknowledged, or may have been written without an answer. */
  private bounds: (number | undefined)[] = [undefined];

  /** @param receiver is told of ends */
  constructor(private readonly receiver: Receiver) {}

  async submit(daemon: Daemon): Promise<void> {
    const notify = [{ webhook: { url: this.receiver.url } }];
    const quick = await this.attempt(daemon, 'echo quick', {
      limits: { resources: { gpu: 1 } },
      policy: { notify, on_end: [{ submit: countedTask(this.runs, 'true') }] },
    });
    this.told.push(quick);
    const twice = await this.attempt(daemon, 'exit $((EXECGO_ATTEMPT % 2))', TWICE);
    await this.attempt(daemon, 'exec sleep 600', { limits: { wall_time_ms: 300 } });
    const id = await this.attempt(daemon, 'exec sleep 600', MOST_OF_CPU);
    this.endless.push(id);
    await this.follow(daemon, quick);
    await this.follow(daemon, twice);
    const follower = await this.follow(daemon, id);
    if (follower !== undefined) await this.follow(daemon, follower);
    await this.edit(daemon, await this.attempt(daemon, 'echo quick too; exit 1', MOST_OF_CPU));
    this.held.push(await this.attempt(daemon, 'echo held', { policy: { hold: true } }));
    await this.release(daemon, this.held.at(-1)!).catch(() => undefined);
    if (this.acknowledged.includes(id)) {
      // An earlier one may still hold what it needs.
      if (this.endless.length === 1) await this.started(daemon, id);
      // A supervisor may have died with it, and it is over.
      for (const what of ['pause', 'resume', 'kill?reason=enough']) {
        const answer = await http(daemon.url)
          .post<TaskView>(`/api/v1/tasks/${id}/${what}`)
          .catch(() => undefined);
        if (answer?.body.kill_reason !== undefined) this.reasoned.push(id);
      }
    }
    await this.rerun(daemon, twice);
    for (const each of [quick, twice]) await this.see(daemon, `tasks/${each}`);
    await this.family(daemon);
    await this.rule(daemon, ++this.sent);
    await this.rule(daemon, undefined);
    await this.rule(daemon, ++this.sent);
    await this.session(daemon);
  }

  async expectSound(daemon: Daemon): Promise<void> {
    for (const id of this.unanswered) {
      const { status } = await http(daemon.url).get(`/api/v1/tasks/${id}`);
      expect([200, 404]).toContain(status);
      if (status === 200) this.acknowledged.push(id);
    }
    // A kill that was never answered may not have been heard.
    for (const id of this.endless)
      if (this.acknowledged.includes(id)) expect((await this.kill(daemon, id)).status).toBe(200);
    // Nor may the deletion of a session.
    for (const id of this.doomed)
      if (!this.deleted.includes(id))
        expect([200, 404]).toContain(
          (await http(daemon.url).delete(`/api/v1/sessions/${id}?force=true`)).status,
        );
    // The same holds of a release; who is late is told so.
    for (const id of this.held)
      if (this.acknowledged.includes(id)) {
        expect([200, 409]).toContain((await this.release(daemon, id)).status);
        expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'success' });
      }
    await this.expectSoundFamilies(daemon);
    for (const id of this.acknowledged) await waitForEnd(daemon, id);
    // Exactly once, whatever the daemon was doing.
    for (const id of this.told.filter((each) => this.acknowledged.includes(each))) {
      const next = await waitFor(async () => (await this.task(daemon, id)).follow_ups?.[0]?.task_id, {
        what: `what follows ${id}`,
      });
      await waitForEnd(daemon, next);
      const { body } = await http(daemon.url).get<TaskPage>(`/api/v1/tasks?parent=${id}`);
      expect(body.tasks.map(({ task_id }) => task_id)).toEqual([next]);
    }
    // At least once, under one id, and never of an end that there was not.
    for (const id of this.told.filter((each) => this.acknowledged.includes(each)))
      await waitFor(async () => (await this.notifications(daemon, id))[0]?.state === 'delivered', {
        what: `the message about ${id}`,
      });
    for (const { headers, body } of this.receiver.received) {
      const id = String(body.data['task_id']);
      const known = (await this.notifications(daemon, id)).map(({ webhook_id }) => webhook_id);
      expect(known).toEqual([headers['webhook-id']]);
    }
    const { status, body } = await http(daemon.url).get('/api/v1/queues/ruled');
    expect(this.bounds).toContain(status === 404 ? undefined : body.rule.max_waiting);
    for (const id of this.kept) {
      const { status: found, body: session } = await http(daemon.url).get(`/api/v1/sessions/${id}`);
      expect([id, found, session.title]).toEqual([id, 200, 'changed']);
    }
    await this.expectMarks(daemon);
    await this.expectReasons(daemon);
    for (const id of this.deleted)
      expect([id, (await http(daemon.url).get(`/api/v1/sessions/${id}`)).status]).toEqual([id, 404]);
    for (const [id, first] of this.dependants) {
      if (!this.acknowledged.includes(id)) continue;
      const [after, { status: how }] = [await waitForEnd(daemon, id), await waitForEnd(daemon, first)];
      if (how === 'success') expect(after.status).toBe('success');
      else expect(after).toMatchObject({ status: 'cancelled', cause: 'dependency' });
    }
    for (const id of this.again) {
      const { task_id } = (await this.retry(daemon, id)).body;
      expect((await this.retry(daemon, id)).body).toMatchObject({ task_id, created: false });
      expect(await waitForEnd(daemon, task_id)).toMatchObject({ retry_of: id });
    }
    for (const id of this.edited) expect(await waitForEnd(daemon, id)).toMatchObject({ priority: 1 });
    await settled(daemon);
    expect(await violations(daemon, this)).toEqual([]);
  }

  /** Two, one below the other, that are killed together. */
  private async family(daemon: Daemon): Promise<void> {
    // The slots are needed for others: they wait.
    const context = { control_context: { queue: 'family' } };
    await http(daemon.url)
      .put('/api/v1/queues/family', { paused: true })
      .catch(() => undefined);
    const parent = await this.attempt(daemon, 'true', context);
    const known = this.acknowledged.includes(parent);
    const child = { control_context: { ...context.control_context, parent_task_id: parent } };
    const below = known ? await this.attempt(daemon, 'true', child) : undefined;
    const kill = () => http(daemon.url).post(`/api/v1/tasks/${parent}/kill?children=true`);
    const killed = below === undefined ? undefined : await kill().catch(() => undefined);
    this.families.push({ parent, below, isAnswered: killed?.status === 200 });
  }

  /** A kill that was never answered may not have been heard; but it is never heard by one of the two alone. */
  private async expectSoundFamilies(daemon: Daemon): Promise<void> {
    for (const { parent, below, isAnswered } of this.families) {
      if (!this.acknowledged.includes(parent)) continue;
      const ended = async (id: string) => {
        const { status } = (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
        return status !== 'accepted';
      };
      const isChild = below !== undefined && this.acknowledged.includes(below);
      if (isAnswered || (isChild && (await ended(parent)))) {
        if (isChild) expect((await waitForEnd(daemon, below)).cause).toBe('cancelled');
        expect((await waitForEnd(daemon, parent)).cause).toBe('cancelled');
      } else await http(daemon.url).post(`/api/v1/tasks/${parent}/kill?children=true`);
    }
  }

  private async task(daemon: Daemon, id: string): Promise<TaskView> {
    const { status, body } = await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`);
    expect(status).toBe(200);
    return body;
  }

  private async notifications(daemon: Daemon, id: string): Promise<NotificationView[]> {
    return (await this.task(daemon, id)).notifications ?? [];
  }

  /** Sets the rule of a queue without tasks, or deletes it where there is one. */
  private async rule(daemon: Daemon, max_waiting: number | undefined): Promise<void> {
    const { put, delete: remove } = http(daemon.url);
    const path = '/api/v1/queues/ruled';
    const answer = await (max_waiting === undefined ? remove(path) : put(path, { max_waiting })).catch(
      () => undefined,
    );
    if (answer === undefined) this.bounds.push(max_waiting);
    else {
      expect([200, 404]).toContain(answer.status);
      this.bounds = [max_waiting];
    }
  }

  private async session(daemon: Daemon): Promise<void> {
    const { post, request, delete: remove } = http(daemon.url);
    const [kept, gone] = [`session-${++this.sent}`, `session-${++this.sent}`];
    this.doomed.push(gone);
    for (const [session_id, body] of [
      [kept, 'echo in session'],
      [gone, 'exec sleep 600'],
    ] as const) {
      const path = `/api/v1/sessions/${session_id}`;
      const made = await post('/api/v1/sessions', { session_id }).catch(() => undefined);
      if (made?.status !== 200) continue;
      await this.attempt(daemon, body, { control_context: { session_id } });
      const answer =
        session_id === kept
          ? await request('PATCH', path, { body: { title: 'changed' } }).catch(() => undefined)
          : await remove(`${path}?force=true&wait_ms=60000`).catch(() => undefined);
      if (answer === undefined) continue;
      expect([session_id, answer.status]).toEqual([session_id, 200]);
      (session_id === kept ? this.kept : this.deleted).push(session_id);
      if (session_id === kept) await this.see(daemon, `sessions/${kept}`);
    }
  }

  private async see(daemon: Daemon, path: string): Promise<void> {
    const answer = await http(daemon.url)
      .request('PUT', `/api/v1/${path}/read/ann`, {})
      .catch(() => undefined);
    if (answer?.status === 200) this.seen.push({ path, mark: answer.body });
    else expect([undefined, 404]).toContain(answer?.status);
  }

  /** What was acknowledged to be seen is, up to then. */
  private async expectMarks(daemon: Daemon): Promise<void> {
    const { get } = http(daemon.url);
    const { tasks } = (await get<TaskPage>('/api/v1/tasks?reader=ann&unread=true&limit=200')).body;
    for (const { path, mark } of this.seen) {
      const { body } = await get(`/api/v1/${path}`);
      if (path.startsWith('sessions/')) {
        const { version, event_seq } = mark;
        expect(body.readers).toMatchObject([{ reader: 'ann', version, event_seq }]);
      } else {
        const isUnread = tasks.some(({ task_id }) => task_id === body.task_id);
        expect([path, isUnread]).toEqual([path, body.version > mark.version]);
      }
    }
  }

  /** Why a task was killed is told as long as it is known, and of the kill that counted. */
  private async expectReasons(daemon: Daemon): Promise<void> {
    for (const id of this.endless.filter((each) => this.acknowledged.includes(each))) {
      const { kill_reason } = await this.task(daemon, id);
      const { body } = await http(daemon.url).get<EventView[]>(`/api/v1/tasks/${id}/events`);
      const said = body.find(({ event_type }) => event_type === 'kill_requested');
      expect([id, kill_reason]).toEqual([id, (said?.data as { reason?: string } | undefined)?.reason]);
      if (this.reasoned.includes(id)) expect([id, kill_reason]).toEqual([id, 'enough']);
    }
  }

  /** @returns the id that the task has, if there is one */
  private async attempt(daemon: Daemon, body: string, more: object = {}): Promise<string> {
    const task_id = `task-${++this.sent}`;
    const request = countedTask(this.runs, body, { task_id, control_context: { group: 'all' }, ...more });
    const answer = await http(daemon.url)
      .post('/api/v1/tasks', request)
      .catch(() => undefined);
    if (answer === undefined) this.unanswered.push(task_id);
    else {
      expect(answer.status).toBe(200);
      this.acknowledged.push(task_id);
    }
    return task_id;
  }

  /** What waits cannot be paused. A daemon that dies starts nothing. */
  private async started(daemon: Daemon, id: string): Promise<void> {
    const waits = async () => {
      const answer = await http(daemon.url)
        .get(`/api/v1/tasks/${id}`)
        .catch(() => undefined);
      return answer?.body.status === 'accepted';
    };
    await waitFor(async () => !(await waits()), { what: 'its start' });
  }

  /** A task after another one, which is known for certain. @returns its id, as {@link attempt} does */
  private async follow(daemon: Daemon, first: string): Promise<string | undefined> {
    if (!this.acknowledged.includes(first)) return undefined;
    const id = await this.attempt(daemon, 'echo after', { policy: { after: [{ task_id: first }] } });
    this.dependants.set(id, first);
    return id;
  }

  /** It may have been too late: the task may wait no longer when it has been found again. */
  private async edit(daemon: Daemon, id: string): Promise<void> {
    const answer = await http(daemon.url)
      .request('PATCH', `/api/v1/tasks/${id}`, { body: { policy: { priority: 1 } } })
      .catch(() => undefined);
    if (answer?.status === 200) this.edited.push(id);
    else expect([undefined, 404, 409]).toContain(answer?.status);
  }

  private release(daemon: Daemon, id: string) {
    return http(daemon.url).post(`/api/v1/tasks/${id}/release`);
  }

  /** Once it has ended. Whether that was heard is asked in the end. */
  private async rerun(daemon: Daemon, id: string): Promise<void> {
    if (!this.acknowledged.includes(id)) return;
    const ended = await http(daemon.url)
      .get(`/api/v1/tasks/${id}?wait_ms=20000`)
      .catch(() => undefined);
    if (ended?.body.finished_at === undefined) return;
    this.again.push(id);
    const answer = await this.retry(daemon, id).catch(() => undefined);
    if (answer === undefined) return;
    expect(answer.status).toBe(200);
    this.acknowledged.push(answer.body.task_id);
  }

  private retry(daemon: Daemon, id: string) {
    return http(daemon.url).post(`/api/v1/tasks/${id}/retry`);
  }

  private kill(daemon: Daemon, id: string) {
    return http(daemon.url).post(`/api/v1/tasks/${id}/kill`);
  }
}

const FLAGS = [
  ...['--webhook-allow', '127.0.0.1', '--webhook-retry-ms', '50'],
  ...['--max-running-tasks', '3', '--capacity-cpu-millis', '1000'],
  // Each of them is held by one at most.
  ...['--resource', 'gpu=a,b'],
];
/** There is no room for two of them. */
const MOST_OF_CPU = { limits: { cpu_millis: 600, resources: { gpu: 1 } } };

/** Its second attempt succeeds, if the first was not lost. */
const TWICE = { policy: { retry: { max_attempts: 2, backoff_ms: 0 } } };

/** The environment of one supervisor that dies at a point, and of none that follows it. */
function once(point: string): { env: Record<string, string>; died: () => boolean } {
  const armed = join(tempDir(), 'armed');
  writeFileSync(armed, '');
  return { env: { EXECGO_SUPERVISOR_CRASH_AT: `${point}@${armed}` }, died: () => !existsSync(armed) };
}

/** Those of schedules, groups and commands are tried in schedule-crashes, group-crashes and command-crashes.test.ts. */
const isTriedElsewhere = (point: string) =>
  /_(schedule|due|group_notice|command|progress|task_event)_/.test(point);

test.each(Object.keys(DAEMON_POINTS).filter((point) => !isTriedElsewhere(point)))(
  'the daemon dies at %s',
  async (point) => {
    const work = new Workload(await startReceiver());
    const crash = { EXECGO_DAEMON_CRASH_AT: point };
    let daemon: Daemon;
    if (AT_START.includes(point)) {
      daemon = await startDaemon({ flags: FLAGS });
      // It is idle: its supervisor goes with it, and the next start begins another.
      await daemon.stop();
      await waitGone(daemon.supervisorPid());
      await expect(daemon.restart({ env: crash })).rejects.toThrow(/SIGKILL/);
    } else {
      const supervisor = AFTER_A_DEATH.includes(point) ? once('before_began').env : {};
      daemon = await startDaemon({ flags: FLAGS, env: { ...crash, ...supervisor } });
      await work.submit(daemon);
      expect(await daemon.exited()).toEqual({ code: null, signal: 'SIGKILL' });
    }
    await daemon.restart({ env: {} });
    await work.submit(daemon);
    await work.expectSound(daemon);
  },
);

test.each(Object.keys(SUPERVISOR_POINTS))('the supervisor dies at %s', async (point) => {
  const work = new Workload(await startReceiver());
  const { env, died } = once(point);
  const daemon = await startDaemon({ flags: FLAGS, env });
  const first = daemon.supervisorPid();
  await work.submit(daemon);
  expect(work.acknowledged).toHaveLength(15);
  await waitFor(died, { what: 'the death' });
  await waitGone(first);
  await work.submit(daemon);
  await work.expectSound(daemon);
});
