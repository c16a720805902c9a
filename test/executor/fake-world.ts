import { randomUUID } from 'node:crypto';
import type { Attempt, ExecutorEvents, Place } from '../../src/executor/executor.js';
import { resolvePlan } from '../../src/sandbox/plan.js';
import { submitSchema } from '../../src/task/request.js';
import { ableHost } from '../sandbox/hosts.js';
import { Chaos, type Fate } from './chaos.js';
import { FakeExecutor } from './fake-executor.js';
import { FakePlace, type FakeRun } from './fake-place.js';
import { OWN_GRACE_MS, type Work, type World } from './world.js';

/**
 * Fates of messages, and which launches are refused for want of room, and which pauses given up, in order: faithful, roomy
 * and able after that.
 */
export interface FakeWorldOptions {
  /** Of what executors and places say to each other. */
  wire?: readonly Fate[];
  /** Of what each executor, one after the other, says to the runtime. */
  events?: readonly (readonly Fate[])[];
  refusals?: readonly boolean[];
  pauseFailures?: readonly boolean[];
  ownGraceMs?: number;
}

/** Places without processes, behind an executor that keeps its word and no more. */
export class FakeWorld implements World {
  readonly places = new Map<string, FakePlace>();
  readonly wire: Chaos;
  /** What was brought to the directories of tasks, by attempt. */
  readonly outputs = new Map<number, string>();
  /** What the attempts of a task do, one after the other; those after the last do what it does. */
  readonly works = new Map<string, Work[]>();
  readonly #begun = new Map<number, number>();
  readonly #chaoses: Chaos[] = [];
  readonly ownGraceMs: number;
  /** No place comes any more. */
  withholdsPlaces = false;
  #attempts = 0;
  #launches = 0;
  #pauses = 0;

  constructor(private readonly options: FakeWorldOptions = {}) {
    this.wire = new Chaos(options.wire ?? []);
    this.ownGraceMs = options.ownGraceMs ?? OWN_GRACE_MS;
  }

  /** What stands between the next executor and its runtime. */
  chaos(): Chaos {
    const chaos = new Chaos(this.options.events?.[this.#chaoses.length] ?? []);
    this.#chaoses.push(chaos);
    return chaos;
  }

  /** The place that lives, or a new one. */
  place(): FakePlace | undefined {
    const there = [...this.places.values()].find(({ lives }) => lives);
    if (there !== undefined || this.withholdsPlaces) return there;
    const number = this.places.size + 1;
    const place = new FakePlace(`place-${number}`, number, {
      ownGraceMs: this.ownGraceMs,
      workOf: ({ task_id, number }) => {
        const works = this.works.get(task_id) ?? [];
        return works[number - 1] ?? works.at(-1) ?? { does: 'nothing' };
      },
      begun: ({ launch_id }) => this.#begun.set(launch_id, (this.#begun.get(launch_id) ?? 0) + 1),
      refuses: () => this.options.refusals?.[this.#launches++] ?? false,
      failsToPause: () => this.options.pauseFailures?.[this.#pauses++] ?? false,
    });
    this.places.set(place.incarnation, place);
    return place;
  }

  open(events: ExecutorEvents): FakeExecutor {
    return new FakeExecutor(this, events);
  }

  attempt(work: Work, { incarnation }: Place): Attempt {
    const launch_id = ++this.#attempts;
    const task_id = `task-${launch_id}`;
    this.works.set(task_id, [work]);
    const wall_time_ms = 'wallTimeMs' in work ? work.wallTimeMs : undefined;
    const execution = { kind: 'command' as const, program: '/bin/true' };
    const request = submitSchema.parse({ task_id, execution, limits: { wall_time_ms } });
    const { plan } = resolvePlan(request, ableHost(), { capabilityMode: 'adaptive', wallTimeMs: 0 });
    return { task_id, number: 1, launch_id, launch_token: randomUUID(), incarnation, request, plan };
  }

  begun({ launch_id }: Pick<Attempt, 'launch_id'>): number {
    return this.#begun.get(launch_id) ?? 0;
  }

  progress({ incarnation, launch_id }: Attempt): number {
    return this.places.get(incarnation)?.progress(launch_id) ?? 0;
  }

  /** What has become of each attempt of a task that its place was told of, with that place. */
  runsOf(taskId: string): { run: FakeRun; place: FakePlace }[] {
    return [...this.places.values()].flatMap((place) =>
      [...place.runs.values()]
        .filter(({ attempt }) => attempt.task_id === taskId)
        .map((run) => ({ run, place })),
    );
  }

  /** Lets all end that wait. */
  finishAll(): void {
    for (const place of this.places.values()) for (const id of place.runs.keys()) place.finish(id);
  }

  /** True while no process runs anywhere. */
  get isIdle(): boolean {
    return [...this.places.values()].every((place) => place.isIdle);
  }

  runs({ incarnation, launch_id }: Attempt): boolean {
    return this.places.get(incarnation)?.isAlive(launch_id) === true;
  }

  /** Brings what an attempt has printed so far; what was brought before and comes late says nothing new. */
  bring(launchId: number, printed: string): void {
    if (printed.length > (this.outputs.get(launchId) ?? '').length) this.outputs.set(launchId, printed);
  }

  output({ launch_id }: Attempt): string {
    return this.outputs.get(launch_id) ?? '';
  }

  finish({ incarnation, launch_id }: Attempt): void {
    this.places.get(incarnation)?.finish(launch_id);
  }

  crash({ incarnation }: Place): Promise<void> {
    const place = this.places.get(incarnation);
    if (place !== undefined) place.lives = false;
    return Promise.resolve();
  }

  lives({ incarnation }: Place): boolean {
    return this.places.get(incarnation)?.lives === true;
  }

  /** Leaves no timer. */
  remove(): void {
    for (const chaos of [this.wire, ...this.#chaoses]) chaos.stop();
    for (const place of this.places.values()) place.remove();
  }
}
