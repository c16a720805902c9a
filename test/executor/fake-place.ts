import { constants } from 'node:os';
import type { Attempt, KillOrder, LiveUsage, Place } from '../../src/executor/executor.js';
import type { Outcome, Running } from '../../src/supervisor/wire/protocol.js';
import { Deadline } from '../../src/task/deadline.js';
import type { Work } from './world.js';

const { SIGKILL, SIGTERM } = constants.signals;
const NOTHING = { bytes: 0, kept_bytes: 0 };

/** What one attempt came to at its place. */
export interface FakeRun {
  readonly attempt: Attempt;
  running?: Running | undefined;
  timedOutAtMs?: number | undefined;
  outcome?: Outcome | undefined;
  /** Since when it is paused, or goes on, if it ever was. */
  turn?: { to: 'paused' | 'resumed'; atMs: number; reason?: string } | undefined;
  /** What it has printed. */
  printed?: string | undefined;
  /** Why it will not begin here, and whether another one may a little later. */
  refusal?: { reason: string; again: boolean } | undefined;
}

/** A process that there is not: what it does is known, signals reach it, and it outlives its place. */
class FakeProcess {
  readonly run: FakeRun & { running: Running };
  #first: Outcome['first_stop'];
  #killAt = Infinity;
  /** While it is not paused. */
  #wallTime: Deadline | undefined;
  #hasFinished = false;
  progress = 0;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(
    attempt: Attempt,
    readonly work: Work,
    pid: number,
    private readonly ownGraceMs: number,
  ) {
    const { launch_id, launch_token: token } = attempt;
    const running = { launch_id, token, pid, start_ticks: 1, started_at_ms: Date.now() };
    this.run = { attempt, running, printed: work.does === 'wait' ? 'begun\n' : '' };
    if (work.does === 'exit') this.#after(1, () => this.#end({ exit_code: work.code }));
    const getOn = () => {
      if (!this.isPaused) this.progress++;
    };
    this.#timers.push(setInterval(getOn, 1).unref());
    const wallTimeMs = attempt.plan?.resource_enforcement.wall_time_ms ?? 0;
    if (wallTimeMs > 0)
      this.#wallTime = new Deadline(wallTimeMs, () => {
        this.run.timedOutAtMs = Date.now();
        this.#stop('timeout', {});
      }).unref();
  }

  get isPaused(): boolean {
    return this.run.turn?.to === 'paused';
  }

  /** @param fails asked when something can be paused: then it cannot */
  pause(fails: () => boolean): void {
    if (!this.alive || this.isPaused || this.#first !== undefined) return;
    if (fails()) {
      this.#turn('resumed', 'it forks too fast');
      return;
    }
    this.#wallTime?.standStill();
    this.#turn('paused');
  }

  resume(): void {
    if (!this.alive || !this.isPaused) return;
    this.#wallTime?.goOn();
    this.#turn('resumed');
    if (this.#hasFinished) this.finish();
  }

  /** What is told after a pause was written down is later than that. */
  #turn(to: 'paused' | 'resumed', reason?: string): void {
    const atMs = Math.max(Date.now(), this.run.turn?.atMs ?? 0) + 1;
    this.run.turn = reason === undefined ? { to, atMs } : { to, atMs, reason };
  }

  get alive(): boolean {
    return this.run.outcome === undefined;
  }

  finish(): void {
    if (this.work.does !== 'wait' || !this.alive) return;
    this.#hasFinished = true;
    if (this.isPaused) return;
    this.run.printed = 'begun\nfinished\n';
    this.#end({ exit_code: 0 });
  }

  kill(order: KillOrder): void {
    this.#stop('kill', order);
  }

  /** Ends it, and nobody sees how. */
  vanish(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#wallTime?.cancel();
  }

  #stop(reason: 'kill' | 'timeout', { signal = SIGTERM, grace_ms = this.ownGraceMs }: KillOrder): void {
    if (!this.alive) return;
    const isFirst = this.#first === undefined;
    this.#first ??= reason;
    this.resume();
    if (isFirst && grace_ms > 0 && this.work.does !== 'resist') this.#end({ signal });
    const at = performance.now() + grace_ms;
    if (at >= this.#killAt) return;
    this.#killAt = at;
    this.#after(grace_ms, () => this.#end({ signal: SIGKILL }));
  }

  #end(how: Pick<Outcome, 'exit_code' | 'signal'>): void {
    if (!this.alive) return;
    const { launch_id, token, pid, started_at_ms } = this.run.running;
    const at = Date.now();
    const bytes = this.run.printed?.length ?? 0;
    this.run.outcome = {
      ...how,
      launch_id,
      token,
      pid,
      started_at_ms,
      finished_at_ms: at,
      duration_ms: at - started_at_ms,
      first_stop: this.#first,
      timeout_at_ms: this.run.timedOutAtMs,
      oom: false,
      cpu_exceeded: false,
      stdout: { bytes, kept_bytes: bytes },
      stderr: NOTHING,
      usage: {},
    };
    this.vanish();
  }

  /** What is paused does it later. */
  #after(ms: number, action: () => void): void {
    const act = () => {
      if (this.isPaused) this.#after(1, action);
      else action();
    };
    this.#timers.push(setTimeout(act, ms).unref());
  }
}

/** What the world of a place decides. */
export interface PlaceRules {
  /** From TERM to KILL where an order says nothing. Milliseconds. */
  ownGraceMs: number;
  /** What an attempt does. */
  workOf: (attempt: Attempt) => Work;
  /** Called for each that begins. */
  begun: (attempt: Attempt) => void;
  /** Says whether the next one is refused for want of room. */
  refuses: () => boolean;
  /** Says whether the next pause is given up. */
  failsToPause: () => boolean;
}

/** Where attempts run in the fake: knows all it was told of, also after its death, as one that keeps a journal. */
export class FakePlace implements Place {
  readonly runs = new Map<number, FakeRun>();
  readonly #processes = new Map<number, FakeProcess>();
  lives = true;

  constructor(
    readonly incarnation: string,
    readonly pid: number,
    private readonly rules: PlaceRules,
  ) {}

  launch(attempt: Attempt): void {
    const { launch_id } = attempt;
    if (!this.lives || this.runs.has(launch_id)) return;
    if (this.rules.refuses()) this.refuse(attempt, 'there is no room', true);
    else if (this.rules.workOf(attempt).does === 'nothing')
      this.runs.set(launch_id, { attempt, outcome: neverBegun(attempt) });
    else {
      this.rules.begun(attempt);
      const process = new FakeProcess(
        attempt,
        this.rules.workOf(attempt),
        1000 + launch_id,
        this.rules.ownGraceMs,
      );
      this.#processes.set(launch_id, process);
      this.runs.set(launch_id, process.run);
    }
  }

  /** It will not begin here, whatever is told later. */
  refuse(attempt: Attempt, reason: string, again: boolean): void {
    this.runs.set(attempt.launch_id, { attempt, refusal: { reason, again } });
  }

  kill(launchId: number, order: KillOrder): void {
    if (this.lives) this.#processes.get(launchId)?.kill(order);
  }

  pause(launchId: number): void {
    if (this.lives) this.#processes.get(launchId)?.pause(this.rules.failsToPause);
  }

  resume(launchId: number): void {
    if (this.lives) this.#processes.get(launchId)?.resume();
  }

  progress(launchId: number): number {
    return this.#processes.get(launchId)?.progress ?? 0;
  }

  isAlive(launchId: number): boolean {
    return this.#processes.get(launchId)?.alive === true;
  }

  /** Ends what a dead place has left of an attempt: nobody will know how it would have ended. */
  killRemains(launchId: number): void {
    this.#processes.get(launchId)?.vanish();
    this.#processes.delete(launchId);
  }

  finish(launchId: number): void {
    this.#processes.get(launchId)?.finish();
  }

  usage(launchId: number): LiveUsage | undefined {
    return this.isAlive(launchId) ? { cpu_percent: 1, memory_bytes: 4096, processes: 1 } : undefined;
  }

  get isIdle(): boolean {
    return ![...this.#processes.values()].some(({ alive }) => alive);
  }

  /** Clears all its timers. */
  remove(): void {
    for (const process of this.#processes.values()) process.vanish();
  }
}

function neverBegun({ launch_id, launch_token: token }: Attempt): Outcome {
  return {
    launch_id,
    token,
    failure: { stage: 'launch', message: 'there is no such program' },
    finished_at_ms: Date.now(),
    duration_ms: 0,
    oom: false,
    cpu_exceeded: false,
    stdout: NOTHING,
    stderr: NOTHING,
    usage: {},
  };
}
