import { setTimeout as delay } from 'node:timers/promises';
import {
  bothOrders,
  type AdoptedAttempt,
  type Attempt,
  type Executor,
  type ExecutorEvents,
  type KillOrder,
  type LiveUsage,
  type Place,
} from '../../src/executor/executor.js';
import type { Chaos } from './chaos.js';
import type { FakePlace } from './fake-place.js';
import type { FakeWorld } from './fake-world.js';

/** How often it compares what its places know with what it has told. Milliseconds. */
const LOOK_MS = 2;
/** How many looks long there is no place after one has died. */
const LOOKS_WITHOUT_PLACE = 3;

interface Held {
  readonly attempt: Attempt;
  /** An earlier daemon has launched it, and nothing was heard of it since. */
  adopted: boolean;
  kill: KillOrder | undefined;
  isPaused: boolean;
  /** What is told, or on its way. */
  readonly told: Set<What>;
  /** What has arrived. */
  readonly arrived: Set<What>;
}

type What = 'started' | 'timedOut' | 'closing' | `${'paused' | 'resumed' | 'given up'} ${number}`;

/**
 * Keeps every word of the port and no other promise: on both ways, to its places and to the runtime, what it says is lost
 * and said again, doubled, delayed and so reordered.
 */
export class FakeExecutor implements Executor {
  readonly #held = new Map<number, Held>();
  /** Places that it knows to be dead. */
  readonly #dead = new Set<string>();
  readonly #toRuntime: Chaos;
  #place: FakePlace | undefined;
  #looksWithout = 0;
  #isReadyTold = true;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(
    private readonly world: FakeWorld,
    private readonly events: ExecutorEvents,
  ) {
    this.#toRuntime = world.chaos();
  }

  get place(): Place | undefined {
    return this.#place;
  }

  wanted(): void {
    // A place that is missing comes by itself.
  }

  async start(adopted: readonly AdoptedAttempt[]): Promise<void> {
    for (const { kill, paused, ...attempt } of adopted) {
      const held = this.#hold(attempt, true);
      held.kill = kill;
      held.isPaused = paused;
    }
    const first = [...this.#held.values()];
    this.#timer = setInterval(() => {
      this.#look();
    }, LOOK_MS);
    this.#look();
    while (!this.#isClosed && !first.every((held) => this.#isTold(held))) await delay(LOOK_MS);
  }

  launch(attempt: Attempt): boolean {
    const { incarnation, launch_id } = attempt;
    // Committed by a daemon on its way out: the next one adopts it.
    if (this.#isClosed) return true;
    if (!this.world.places.has(incarnation) || this.#dead.has(incarnation)) return false;
    this.#lookAt(this.#held.get(launch_id) ?? this.#hold(attempt, false));
    return true;
  }

  kill(launchId: number, order: KillOrder): void {
    const held = this.#held.get(launchId);
    if (held !== undefined) held.kill = bothOrders(held.kill, order, this.world.ownGraceMs);
  }

  canPause(launchId: number): boolean | undefined {
    return this.#held.has(launchId) ? true : undefined;
  }

  pause(launchId: number): void {
    this.#turn(launchId, true);
  }

  resume(launchId: number): void {
    this.#turn(launchId, false);
  }

  /** The look at its place does the rest. What was told already is told again, but not that a pause was given up. */
  #turn(launchId: number, isPaused: boolean): void {
    const held = this.#held.get(launchId);
    if (held === undefined) return;
    held.isPaused = isPaused;
    for (const what of held.told) if (/^(paused|resumed) /.test(what)) held.told.delete(what);
  }

  hears(launchId: number): boolean {
    const held = this.#held.get(launchId);
    return held !== undefined && !this.#dead.has(held.attempt.incarnation);
  }

  usage(launchId: number): Promise<LiveUsage | undefined> {
    const held = this.#held.get(launchId);
    const place = held && this.world.places.get(held.attempt.incarnation);
    return Promise.resolve(place?.usage(launchId));
  }

  close(drain: boolean): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#toRuntime.stop();
    this.#place = undefined;
    if (drain) for (const place of this.world.places.values()) if (place.isIdle) place.lives = false;
    return Promise.resolve();
  }

  #hold(
    { task_id, number, launch_id, launch_token, incarnation, request, plan }: Attempt,
    adopted: boolean,
  ): Held {
    const attempt = { task_id, number, launch_id, launch_token, incarnation, request, plan };
    const held: Held = {
      attempt,
      adopted,
      kill: undefined,
      isPaused: false,
      told: new Set(),
      arrived: new Set(),
    };
    this.#held.set(launch_id, held);
    return held;
  }

  /** True once all that can be known of it at once has arrived. */
  #isTold(held: Held): boolean {
    const { launch_id, incarnation } = held.attempt;
    const place = this.world.places.get(incarnation);
    const run = place?.runs.get(launch_id);
    const isOver = run?.outcome !== undefined || run?.refusal !== undefined;
    if (place?.lives !== true || isOver) return held.arrived.has('closing');
    return run === undefined || held.arrived.has('started');
  }

  #look(): void {
    if (this.#place?.lives === false) {
      this.#dead.add(this.#place.incarnation);
      this.#place = undefined;
      this.#looksWithout = LOOKS_WITHOUT_PLACE;
    }
    if (this.#place === undefined && this.#looksWithout-- <= 0) {
      this.#place = this.world.place();
      this.#isReadyTold = this.#place === undefined;
    }
    if (!this.#isReadyTold)
      this.#isReadyTold = this.#toRuntime.send(() => {
        this.events.ready();
      });
    for (const held of [...this.#held.values()]) this.#lookAt(held);
  }

  #lookAt(held: Held): void {
    const { attempt, kill } = held;
    const { launch_id, incarnation } = attempt;
    const place = this.world.places.get(incarnation);
    if (place === undefined) {
      this.#close(held, () => this.events.lost(attempt, undefined));
      return;
    }
    const run = place.runs.get(launch_id);
    const { running, timedOutAtMs, outcome, refusal, turn } = run ?? {};
    if (running !== undefined && this.#tell(held, 'started', this.#startOf(held, running)))
      held.adopted = false;
    if (timedOutAtMs !== undefined)
      this.#tell(held, 'timedOut', () => {
        this.events.timedOut(attempt, timedOutAtMs);
      });
    if (turn !== undefined)
      this.#tell(held, `${turn.reason === undefined ? turn.to : 'given up'} ${turn.atMs}`, () => {
        if (turn.to === 'paused') this.events.paused(attempt, turn.atMs);
        else {
          const { atMs, reason } = turn;
          if (reason !== undefined) held.isPaused = false;
          this.events.resumed(attempt, atMs, reason);
        }
      });
    if (!this.#isBrought(launch_id, run?.printed)) return;
    if (outcome !== undefined) this.#close(held, () => this.events.ended(attempt, outcome));
    else if (refusal !== undefined)
      this.#refuse(held, refusal.reason, refusal.again && place === this.#place);
    else if (!place.lives) this.#settle(held, place);
    else if (run === undefined) this.#launch(held, place);
    else if (kill !== undefined)
      this.world.wire.send(() => {
        place.kill(launch_id, kill);
      });
    else if ((turn?.to === 'paused') !== held.isPaused && timedOutAtMs === undefined)
      this.world.wire.send(() => {
        place[held.isPaused ? 'pause' : 'resume'](launch_id);
      });
  }

  /** Kills what a dead place has left of an attempt; one that it had not heard of has not begun. */
  #settle(held: Held, place: FakePlace): void {
    const { attempt } = held;
    this.#dead.add(place.incarnation);
    const run = place.runs.get(attempt.launch_id);
    if (run === undefined) {
      this.#refuse(held, 'its place died before it began', false);
      return;
    }
    place.killRemains(attempt.launch_id);
    this.#close(held, () => this.events.lost(attempt, run.running));
  }

  #launch(held: Held, place: FakePlace): void {
    const { attempt, adopted, kill } = held;
    if (adopted && kill !== undefined) {
      place.refuse(attempt, 'it was killed before it began', false);
      return;
    }
    held.adopted = false;
    this.world.wire.send(() => {
      place.launch(attempt);
    });
  }

  /** True once what was printed so far is in the directory of the task; else it is brought. */
  #isBrought(launchId: number, printed = ''): boolean {
    if (this.world.outputs.get(launchId) === printed || printed === '') return true;
    this.world.wire.send(() => {
      this.world.bring(launchId, printed);
    });
    return false;
  }

  #startOf({ attempt, adopted }: Held, running: Parameters<ExecutorEvents['started']>[1]): () => void {
    return () => {
      this.events.started(attempt, running, adopted);
    };
  }

  #refuse(held: Held, reason: string, again: boolean): void {
    this.#tell(held, 'closing', () => {
      this.#forget(held);
      this.events.refused(held.attempt, reason, again);
    });
  }

  #close(held: Held, tell: () => Promise<boolean>): void {
    this.#tell(held, 'closing', () => {
      void tell().then((isTaken) => {
        if (isTaken) this.#forget(held);
      });
    });
  }

  /** @returns true when it is on its way now */
  #tell(held: Held, what: What, deliver: () => void): boolean {
    if (held.told.has(what)) return false;
    const isSent = this.#toRuntime.send(() => {
      held.arrived.add(what);
      deliver();
    });
    if (isSent) held.told.add(what);
    return isSent;
  }

  #forget(held: Held): void {
    if (this.#held.get(held.attempt.launch_id) === held) this.#held.delete(held.attempt.launch_id);
  }
}
