import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { killTask } from '../../src/runtime/lifecycle/kill.js';
import { pauseTask, resumeTask } from '../../src/runtime/lifecycle/pause.js';
import { submit } from '../../src/runtime/lifecycle/submit.js';
import { endOf, type EndedTask, type RunningTask, type TaskRecord } from '../../src/store/records.js';
import type { RetryCause } from '../../src/task/retry.js';
import type { Cause } from '../../src/task/causes.js';
import { ExecgoError } from '../../src/task/errors.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor } from '../harness/wait.js';
import { anyFate, type Fate } from './chaos.js';
import type { FakeRun } from './fake-place.js';
import { FakeWorld, type FakeWorldOptions } from './fake-world.js';
import { startRuntime, type RuntimeUnderTest } from './runtime.js';
import type { Work } from './world.js';

/** What happens to the tasks from outside, one thing after another. */
interface Step {
  /** How long after the step before. Milliseconds. */
  afterMs: number;
  then:
    | { what: 'kill'; which: number; grace_ms: number | undefined }
    | { what: 'pause' | 'resume'; which: number }
    | { what: 'the place dies' }
    | { what: 'the daemon goes and another comes' };
}

interface TaskStory {
  /** What its attempts do, one after the other. */
  works: Work[];
  retry: { max_attempts: number; on: RetryCause[]; backoff_ms: number } | undefined;
}

interface Story {
  tasks: TaskStory[];
  taskSlots: number;
  steps: Step[];
  wire: Fate[];
  /** For one daemon after another. */
  events: Fate[][];
  refusals: boolean[];
  pauseFailures: boolean[];
  ownGraceMs: number;
}

const anyWork: fc.Arbitrary<Work> = fc.oneof(
  fc.constantFrom<Work>({ does: 'nothing' }, { does: 'wait' }, { does: 'run' }, { does: 'resist' }),
  fc.record({ does: fc.constant('exit' as const), code: fc.constantFrom(0, 7) }),
  fc.record({ does: fc.constant('run' as const), wallTimeMs: fc.integer({ min: 1, max: 30 }) }),
);

const anyTask: fc.Arbitrary<TaskStory> = fc.record({
  works: fc.array(anyWork, { minLength: 1, maxLength: 3 }),
  retry: fc.option(
    fc.record({
      max_attempts: fc.integer({ min: 1, max: 4 }),
      on: fc.subarray(['exit', 'signal', 'timeout', 'launch', 'lost'] as RetryCause[], { minLength: 1 }),
      backoff_ms: fc.integer({ min: 0, max: 10 }),
    }),
    { nil: undefined },
  ),
});

const anyStep: fc.Arbitrary<Step> = fc.record({
  afterMs: fc.integer({ min: 0, max: 15 }),
  then: fc.oneof(
    fc.record({
      what: fc.constant('kill' as const),
      which: fc.nat({ max: 5 }),
      grace_ms: fc.constantFrom(undefined, 0, 10),
    }),
    fc.record({ what: fc.constantFrom('pause' as const, 'resume' as const), which: fc.nat({ max: 5 }) }),
    fc.record({ what: fc.constant('the place dies' as const) }),
    fc.record({ what: fc.constant('the daemon goes and another comes' as const) }),
  ),
});

const STEPS_MAX = 5;

const anyStory: fc.Arbitrary<Story> = fc.record({
  tasks: fc.array(anyTask, { minLength: 1, maxLength: 6 }),
  taskSlots: fc.integer({ min: 1, max: 4 }),
  steps: fc.array(anyStep, { maxLength: STEPS_MAX }),
  wire: fc.array(anyFate, { maxLength: 200 }),
  events: fc.array(fc.array(anyFate, { maxLength: 60 }), { maxLength: STEPS_MAX + 1 }),
  // Each puts the next launch off for longer.
  refusals: fc.array(fc.boolean(), { maxLength: 3 }),
  pauseFailures: fc.array(fc.boolean(), { maxLength: 3 }),
  ownGraceMs: fc.constant(30),
});

const TWICE: Fate[] = Array.from({ length: 50 }, () => ({ copies: 2, delays: [0, 0] }));

/** Stories that have gone wrong. */
const KNOWN: [Story][] = [
  {
    tasks: [{ works: [{ does: 'exit' as const, code: 0 }], retry: undefined }],
    steps: [],
    refusals: [true],
  },
  {
    tasks: [{ works: [{ does: 'wait' as const }], retry: undefined }],
    steps: [{ afterMs: 100, then: { what: 'the daemon goes and another comes' as const } }],
    refusals: [],
  },
].map((story) => [
  { taskSlots: 1, wire: [], events: [TWICE, TWICE], pauseFailures: [], ownGraceMs: 30, ...story },
]);

function dataDirectory(): string {
  const dataDir = tempDir();
  for (const dir of ['tasks', 'supervisor', 'trash', 'sessions'])
    mkdirSync(join(dataDir, dir), { mode: 0o700 });
  return dataDir;
}

/** Tasks of a story, and all that came to pass. */
class Played {
  readonly world: FakeWorld;
  readonly ids: string[];
  readonly killed = new Set<string>();
  restarts = 0;
  #runtime: RuntimeUnderTest | undefined;
  readonly #asked: Promise<void>[] = [];
  readonly #dataDir = dataDirectory();

  constructor(private readonly story: Story) {
    this.world = new FakeWorld(story);
    this.ids = story.tasks.map((_, i) => `task-${i}`);
  }

  retryOf(taskId: string): TaskStory['retry'] {
    return this.story.tasks[this.ids.indexOf(taskId)]?.retry;
  }

  get core() {
    return this.#running.core;
  }

  get #running() {
    if (this.#runtime === undefined) throw new Error('no runtime');
    return this.#runtime;
  }

  row(taskId: string): TaskRecord {
    const row = this.core.store.tasks.get(taskId);
    if (row === undefined) throw new Error(`there is no row of ${taskId}`);
    return row;
  }

  /** Submits all, takes all steps, lets all end that do not by themselves, and waits until all have. */
  async play(): Promise<void> {
    await this.#open();
    for (const [i, { works, retry }] of this.story.tasks.entries()) {
      const task_id = `task-${i}`;
      this.world.works.set(task_id, works);
      const wall_time_ms = works.flatMap((work) => ('wallTimeMs' in work ? (work.wallTimeMs ?? []) : []))[0];
      const limits = { wall_time_ms };
      await submit(this.core, this.#running.intake, {
        task_id,
        execution: { kind: 'command', program: '/bin/true' },
        limits,
        policy: { retry },
      });
    }
    for (const { afterMs, then } of this.story.steps) {
      await delay(afterMs);
      if (then.what === 'kill') this.#kill(`task-${then.which % this.ids.length}`, then.grace_ms);
      else if (then.what === 'pause' || then.what === 'resume')
        this.#turn(`task-${then.which % this.ids.length}`, then.what);
      else if (then.what === 'the place dies') await this.#crash();
      else await this.#restart();
    }
    await Promise.all(this.#asked);
    await waitFor(() => this.ids.every((id) => this.#standsAsWritten(id)), {
      what: 'pauses as written down',
    });
    for (const id of this.ids) this.#turn(id, 'resume');
    // What was asked for before is not asked for again: it must not get lost.
    for (const [i, { works }] of this.story.tasks.entries()) {
      const id = `task-${i}`;
      const isTimed = works.some((work) => 'wallTimeMs' in work && work.wallTimeMs !== undefined);
      const isEndless = !isTimed && works.some(({ does }) => does === 'resist' || does === 'run');
      if (isEndless && this.row(id).kill_requested_at_ms === undefined) this.#kill(id, 0);
    }
    await Promise.all(this.#asked);
    await waitFor(
      () => {
        this.world.finishAll();
        return this.ids.every((id) => endOf(this.row(id)) !== undefined) && this.core.live.all().next().done;
      },
      { what: 'the end of all tasks' },
    );
    await waitFor(() => this.world.isIdle, { what: 'the end of all processes' });
  }

  async close(): Promise<void> {
    await this.#runtime?.leave();
    this.world.remove();
  }

  async #open(): Promise<void> {
    const open = this.world.open.bind(this.world);
    this.#runtime = await startRuntime(this.#dataDir, this.story.taskSlots, open);
  }

  async #restart(): Promise<void> {
    await this.#runtime?.leave();
    this.restarts++;
    await this.#open();
  }

  async #crash(): Promise<void> {
    const { place } = this.core.executor;
    if (place !== undefined) await this.world.crash(place);
  }

  #kill(taskId: string, grace_ms: number | undefined): void {
    const task = this.core.live.get(taskId);
    if (task === undefined) return;
    this.killed.add(taskId);
    this.#asked.push(killTask(this.core, task, { grace_ms }));
  }

  /** It may not have started, be ending or over: that is refused. */
  #turn(taskId: string, what: 'pause' | 'resume'): void {
    const turn = what === 'pause' ? pauseTask : resumeTask;
    const asked = turn(this.core, taskId, 20, new AbortController().signal);
    this.#asked.push(
      asked.catch((error: unknown) => {
        if (!(error instanceof ExecgoError) || !REFUSALS.includes(error.code)) throw error;
      }),
    );
  }

  /** True when what its place does is what the row says, or it is ending. */
  #standsAsWritten(taskId: string): boolean {
    const row = this.row(taskId);
    const task = this.core.live.get(taskId);
    if (row.status !== 'running' || task === undefined || task.stop !== undefined) return true;
    const run = this.world.runsOf(taskId).find(({ run }) => run.attempt.launch_id === row.attempt.launch_id);
    if (run === undefined || !run.place.lives || run.run.outcome !== undefined) return true;
    return (run.run.turn?.to === 'paused') === (row.paused_at_ms !== undefined);
  }
}

const NOTHING = { bytes: 0, kept_bytes: 0 };
const REFUSALS: readonly string[] = ['conflict', 'unavailable'];

/** The causes that what the world knows of an attempt allows: one, unless it was also killed. */
function allowedCauses(played: Played, taskId: string, runs: readonly FakeRun[]): Cause[] {
  const killed: Cause[] = played.killed.has(taskId) ? ['cancelled'] : [];
  // Of those that were refused only the last may have begun.
  const last = runs.at(-1);
  if (last === undefined) return killed;
  const { outcome, running, timedOutAtMs } = last;
  if (outcome?.failure !== undefined) return [...killed, 'launch'];
  // Of one that was to end because of its time, and whose end nobody saw, it is not known whether it ended by that.
  if (timedOutAtMs !== undefined && outcome !== undefined) return [...killed, 'timeout'];
  if (outcome?.exit_code !== undefined) return [...killed, 'exit'];
  const isLost = running !== undefined && outcome === undefined;
  return isLost ? [...killed, 'lost'] : killed;
}

/** Whether another attempt has to follow, as the policy says in plain words. */
function follows(
  retry: TaskStory['retry'],
  attempt: number,
  { cause, exit_code }: { cause: Cause; exit_code?: number | undefined },
): boolean {
  const isFailure = cause !== 'cancelled' && exit_code !== 0;
  return (
    isFailure && retry !== undefined && attempt < retry.max_attempts && retry.on.some((on) => on === cause)
  );
}

function check(played: Played): void {
  const { core, world, restarts } = played;
  for (const taskId of played.ids) {
    const row = played.row(taskId);
    const end = endOf(row);
    const past = core.store.attempts.ofTask(taskId);
    const types = core.store.events.ofTask(taskId, 0, undefined).map(({ event_type }) => event_type);
    const attempts = [...past, ...(end?.attempt === undefined ? [] : [end])];
    expect(past.map(({ attempt }) => attempt)).toEqual(past.map((_, i) => i + 1));
    expect(row.past_attempts).toBe(past.length);
    for (const [i, attempt] of attempts.entries()) {
      const runs = world.runsOf(taskId).flatMap(({ run }) => (run.attempt.number === i + 1 ? [run] : []));
      expect(allowedCauses(played, taskId, runs), `cause of ${taskId}`).toContain(attempt.cause);
      if (attempt.cause === 'exit') expect(attempt.exit_code).toBe(runs.at(-1)?.outcome?.exit_code);
      const begun = runs.map((run) => world.begun(run.attempt)).filter((times) => times > 0);
      expect(begun.length, `attempts of ${taskId} that have begun as one`).toBeLessThanOrEqual(1);
      expect(Math.max(0, ...begun), 'how often one attempt has begun').toBeLessThanOrEqual(1);
      const isFollowed = follows(played.retryOf(taskId), i + 1, attempt);
      if (i < past.length) expect(isFollowed, `attempt ${i + 2} of ${taskId}`).toBe(true);
      else if (!played.killed.has(taskId)) expect(isFollowed, `no attempt ${i + 2} of ${taskId}`).toBe(false);
    }

    const count = (...wanted: string[]) => types.filter((type) => wanted.includes(type)).length;
    expect(count('finished', 'failed', 'cancelled'), `ends of ${taskId}`).toBe(1);
    expect(count('resource_released')).toBe(count('resource_reserved'));
    expect(count('kill_requested')).toBeLessThanOrEqual(1);
    expect(count('resource_reserved')).toBe(attempts.length);
    for (const once of ['started', 'timeout_triggered'])
      expect(count(once), `${once} of ${taskId}`).toBeLessThanOrEqual(attempts.length);
    expect([count('attempt_failed'), count('retry_scheduled')]).toEqual([past.length, past.length]);
    // What ends does not stand still any more, without a word.
    expect(count('paused') - count('resumed')).toBeGreaterThanOrEqual(0);
    expect(count('paused') - count('resumed')).toBeLessThanOrEqual(attempts.length);
    expect(count('recovered')).toBeLessThanOrEqual(restarts);
  }
  expect(core.schedule.ledger.entries()).toEqual([]);
  expect(core.schedule.ledger.reserved().task_slots).toBe(0);
  const { queued, unlaunched, unmatched, notYet } = core.schedule;
  expect([queued, unlaunched.size, unmatched.size, notYet.size]).toEqual([0, 0, 0, 0]);
  const retries = Object.values(core.store.counters.read().retries).reduce((sum, n) => sum + n, 0);
  expect(retries).toBe(played.ids.reduce((sum, id) => sum + played.row(id).past_attempts, 0));
}

/** One task over a fake of the test's own. */
async function oneTask(work: Work, options: FakeWorldOptions, policy: object = {}) {
  const world = new FakeWorld(options);
  const dataDir = dataDirectory();
  world.works.set('task', [work]);
  const { core, intake, leave } = await startRuntime(dataDir, 1, world.open.bind(world));
  onTestFinished(async () => {
    await leave();
    world.remove();
  });
  await submit(core, intake, {
    task_id: 'task',
    execution: { kind: 'command', program: '/bin/true' },
    policy,
  });
  const task = core.live.get('task');
  if (task === undefined) throw new Error('the task is not live');
  const ended = (status: TaskRecord['status']) =>
    waitFor(() => core.store.tasks.get('task')?.status === status, { what: `the end as ${status}` });
  return { world, core, task, ended };
}

test('of two kills before the start the shorter grace counts, in whichever order they come', async () => {
  for (const graces of [
    [0, 40_000],
    [40_000, 0],
  ]) {
    const { core, task, ended } = await oneTask({ does: 'resist' }, {});
    await Promise.all(graces.map((grace_ms) => killTask(core, task, { grace_ms })));
    await ended('cancelled');
  }
});

test('where nobody knows whether a place can pause, nothing is written down', async () => {
  const { core, task } = await oneTask({ does: 'run' }, {});
  await waitFor(() => task.phase.name === 'started');
  core.executor.canPause = () => undefined;
  const asked = pauseTask(core, 'task', 1000, new AbortController().signal);
  await expect(asked).rejects.toMatchObject({ code: 'unavailable' });
  expect(core.store.tasks.get('task')).not.toHaveProperty('paused_at_ms', expect.any(Number));
  expect(core.live.paused).toBe(0);
});

test('a pause that its place gives up is written down as ended, with the reason; the next one is another', async () => {
  const { core, task } = await oneTask({ does: 'run' }, { pauseFailures: [true] });
  await waitFor(() => task.phase.name === 'started');
  const pause = () => pauseTask(core, 'task', 10_000, new AbortController().signal);
  const message = 'task task could not be paused, and runs on: it forks too fast';
  await expect(pause()).rejects.toMatchObject({ code: 'conflict', message });
  expect(core.live.paused).toBe(0);
  const turns = () =>
    core.store.events
      .ofAll(0, 100)
      .filter(({ event_type }) => ['paused', 'resumed'].includes(event_type))
      .map(({ event_type, message }) => [event_type, message]);
  const told = [
    ['paused', null],
    ['resumed', 'task resumed, since it could not be paused: it forks too fast'],
  ];
  expect(turns()).toEqual(told);
  await pause();
  expect(core.live.paused).toBe(1);
  expect(turns()).toEqual([...told, ['paused', null]]);
});

test('a kill that comes with a pause wins, whichever is written down first', async () => {
  for (const pauseFirst of [true, false]) {
    const { core, task, ended } = await oneTask({ does: 'run' }, {});
    await waitFor(() => task.phase.name === 'started');
    const pause = () => pauseTask(core, 'task', 1000, new AbortController().signal).catch(() => undefined);
    const asked = pauseFirst ? [pause(), killTask(core, task, {})] : [killTask(core, task, {}), pause()];
    await Promise.all(asked);
    await ended('cancelled');
    expect(core.live.paused).toBe(0);
  }
});

test('a kill that comes while an attempt that failed is written down is the end, whichever is first', async () => {
  const policy = { retry: { max_attempts: 5, backoff_ms: 0 } };
  for (const moment of ['before', 'inside'] as const) {
    const { core, task, ended } = await oneTask({ does: 'wait' }, {}, policy);
    await waitFor(() => task.phase.name === 'started');
    const { store } = core;
    const { attempt } = task.phase.record as RunningTask;
    const killed: Promise<void>[] = [];
    const kill = () => void killed.push(killTask(core, task, {}));
    const [write, markRetry] = [
      store.commits.write.bind(store.commits),
      store.changes.retry.bind(store.changes),
    ];
    if (moment === 'before')
      store.commits.write = (change) => {
        store.commits.write = write;
        kill();
        return write(change);
      };
    else
      store.changes.retry = (...args) => {
        store.changes.retry = markRetry;
        kill();
        return markRetry(...args);
      };
    const outcome = {
      ...{ launch_id: attempt.launch_id ?? 0, token: 'launch_token' in attempt ? attempt.launch_token : '' },
      ...{ exit_code: 1, pid: 1, started_at_ms: 1, finished_at_ms: 2, duration_ms: 1, oom: false },
      ...{ cpu_exceeded: false, usage: {}, stdout: NOTHING, stderr: NOTHING },
    };
    await core.ends.fromOutcome(task, outcome);
    await Promise.all(killed);
    expect(killed).toHaveLength(1);
    // Before it is written the attempt's own end is the task's; after that the task waited and was cancelled.
    await ended(moment === 'before' ? 'failed' : 'cancelled');
    const row = store.tasks.get('task');
    expect(row).toMatchObject({
      past_attempts: moment === 'before' ? 0 : 1,
      kill_requested_at_ms: expect.any(Number),
    });
    expect(core.schedule.ledger.entries()).toEqual([]);
    expect(core.schedule.queued).toBe(0);
  }
});

test('what cannot be planned or held any more is not tried again, and the end says why', async () => {
  const policy = { retry: { max_attempts: 2, backoff_ms: 0 } };
  const { core, task } = await oneTask({ does: 'exit', code: 1 }, { refusals: [true] }, policy);
  // As when a daemon with less capacity has taken the running attempt over.
  core.schedule.ledger.canEverFit = () => ({
    ...{ resource: 'memory_bytes', requested: 2, capacity: 1, scope: 'capacity' },
  });
  await waitFor(() => core.live.get('task') === undefined);
  expect(task.record.past_attempts).toBe(0);
  const end = core.store.tasks.get('task');
  expect(end).toMatchObject({ status: 'failed', cause: 'exit' });
  expect((end as EndedTask).warnings).toEqual([
    expect.stringMatching(/^no further attempt: insufficient resources: memory_bytes 2 is more than/),
  ]);
});

test('a kill ends what was refused, also where no place comes', async () => {
  const { world, core, task, ended } = await oneTask({ does: 'run' }, { refusals: Array(50).fill(true) });
  await waitFor(() => task.refusal !== undefined);
  world.withholdsPlaces = true;
  for (const place of world.places.values()) await world.crash(place);
  await waitFor(() => core.executor.place === undefined);
  await killTask(core, task, {});
  await ended('cancelled');
});

test('each task ends once and with the right cause, and begins at most once, whatever its executor loses, doubles, delays and reorders', async () => {
  await fc.assert(
    fc.asyncProperty(anyStory, async (story) => {
      const played = new Played(story);
      try {
        await played.play();
        check(played);
      } finally {
        await played.close();
      }
    }),
    // What fails may do so by waiting: the smallest story that does is not looked for.
    { numRuns: 20, endOnFailure: true, examples: KNOWN },
  );
});
