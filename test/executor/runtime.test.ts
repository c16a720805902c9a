import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { killTask } from '../../src/runtime/lifecycle/kill.js';
import { pauseTask, resumeTask } from '../../src/runtime/lifecycle/pause.js';
import { submit } from '../../src/runtime/lifecycle/submit.js';
import { endOf, type TaskRecord } from '../../src/store/records.js';
import type { Cause } from '../../src/task/causes.js';
import { ExecgoError } from '../../src/task/errors.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor } from '../harness/wait.js';
import { anyFate, type Fate } from './chaos.js';
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

interface Story {
  works: Work[];
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
  works: fc.array(anyWork, { minLength: 1, maxLength: 6 }),
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
    works: [{ does: 'exit' as const, code: 0 }],
    steps: [],
    refusals: [true],
  },
  {
    works: [{ does: 'wait' as const }],
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
    this.ids = story.works.map((_, i) => `task-${i}`);
  }

  get core() {
    return this.#running.core;
  }

  get #running() {
    if (this.#runtime === undefined) throw new Error('no runtime');
    return this.#runtime;
  }

  row(taskId: string): TaskRecord {
    const row = this.core.store.task(taskId);
    if (row === undefined) throw new Error(`there is no row of ${taskId}`);
    return row;
  }

  /** Submits all, takes all steps, lets all end that do not by themselves, and waits until all have. */
  async play(): Promise<void> {
    await this.#open();
    for (const [i, work] of this.story.works.entries()) {
      const task_id = `task-${i}`;
      this.world.works.set(task_id, work);
      const limits =
        work.does === 'run' && work.wallTimeMs !== undefined ? { wall_time_ms: work.wallTimeMs } : {};
      await submit(this.core, this.#running.intake, {
        task_id,
        execution: { kind: 'command', program: '/bin/true' },
        limits,
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
    for (const [i, work] of this.story.works.entries()) {
      const id = `task-${i}`;
      const isEndless = work.does === 'resist' || (work.does === 'run' && work.wallTimeMs === undefined);
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

const REFUSALS: readonly string[] = ['conflict', 'unavailable'];

/** The causes that what the world knows of a task allows: one, unless it was also killed. */
function allowedCauses(played: Played, taskId: string): Cause[] {
  const launch_id = endOf(played.row(taskId))?.attempt?.launch_id;
  const last = played.world.runsOf(taskId).find(({ run }) => run.attempt.launch_id === launch_id);
  const killed: Cause[] = played.killed.has(taskId) ? ['cancelled'] : [];
  if (last === undefined) return killed;
  const { outcome, running, timedOutAtMs } = last.run;
  if (outcome?.failure !== undefined) return [...killed, 'launch'];
  if (timedOutAtMs !== undefined) return [...killed, 'timeout'];
  if (outcome?.exit_code !== undefined) return [...killed, 'exit'];
  const isLost = running !== undefined && outcome === undefined && !last.place.lives;
  return isLost ? [...killed, 'lost'] : killed;
}

function check(played: Played): void {
  const { core, world, restarts } = played;
  for (const taskId of played.ids) {
    const end = endOf(played.row(taskId));
    const runs = world.runsOf(taskId);
    expect(allowedCauses(played, taskId), `cause of ${taskId}`).toContain(end?.cause);
    if (end?.cause === 'exit')
      expect(end.exit_code).toBe(runs.find(({ run }) => run.outcome !== undefined)?.run.outcome?.exit_code);

    const begun = runs.map(({ run }) => world.begun(run.attempt)).filter((times) => times > 0);
    expect(begun.length, `attempts of ${taskId} that have begun`).toBeLessThanOrEqual(1);
    expect(Math.max(0, ...begun), 'how often one attempt has begun').toBeLessThanOrEqual(1);

    const types = core.store.taskEvents(taskId, 0, undefined).map(({ event_type }) => event_type);
    const count = (...wanted: string[]) => types.filter((type) => wanted.includes(type)).length;
    expect(count('finished', 'failed', 'cancelled'), `ends of ${taskId}`).toBe(1);
    expect(count('resource_released')).toBe(count('resource_reserved'));
    for (const once of ['resource_reserved', 'started', 'kill_requested', 'timeout_triggered'])
      expect(count(once), `${once} of ${taskId}`).toBeLessThanOrEqual(1);
    expect([0, 1]).toContain(count('paused') - count('resumed'));
    expect(count('recovered')).toBeLessThanOrEqual(restarts);
  }
  expect(core.schedule.ledger.entries()).toEqual([]);
  expect(core.schedule.ledger.reserved().task_slots).toBe(0);
  const { queued, unlaunched, unmatched } = core.schedule;
  expect([queued, unlaunched.size, unmatched.size]).toEqual([0, 0, 0]);
}

/** One task over a fake of the test's own. */
async function oneTask(work: Work, options: FakeWorldOptions) {
  const world = new FakeWorld(options);
  const dataDir = dataDirectory();
  world.works.set('task', work);
  const { core, intake, leave } = await startRuntime(dataDir, 1, world.open.bind(world));
  onTestFinished(async () => {
    await leave();
    world.remove();
  });
  await submit(core, intake, { task_id: 'task', execution: { kind: 'command', program: '/bin/true' } });
  const task = core.live.get('task');
  if (task === undefined) throw new Error('the task is not live');
  const ended = (status: TaskRecord['status']) =>
    waitFor(() => core.store.task('task')?.status === status, { what: `the end as ${status}` });
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
  expect(core.store.task('task')).not.toHaveProperty('paused_at_ms', expect.any(Number));
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
    core.store
      .events(0, 100)
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
