import { removeLayout, sweepCgroups } from '../../sandbox/cgroup/cgroup-layout.js';
import { subjectOfOutcome } from '../../supervisor/wire/messages.js';
import {
  PAUSE_SINCE,
  type Outcome,
  type Running,
  type SupervisorMessage,
} from '../../supervisor/wire/protocol.js';
import {
  bothOrders,
  type AdoptedAttempt,
  type Attempt,
  type Executor,
  type ExecutorEvents,
  type KillOrder,
  type LiveUsage,
  type Place,
} from '../executor.js';
import { attemptPids } from './attempt-pids.js';
import { encodeLaunch } from './encode-launch.js';
import { neverBegun } from '../../supervisor/wire/never-begun.js';
import { HeldAttempts, type HeldAttempt } from './held-attempts.js';
import { incarnationOf, type LaunchSettings } from './launch-spec.js';
import { settleDead } from './settle-dead.js';
import type { SupervisorLink } from './supervisor-link.js';
import { SupervisorPool, type PoolEvents, type PoolOptions } from './supervisor-pool.js';
import { UsageSampler } from './usage-sampler.js';

/** Milliseconds; paths are absolute. */
export interface LocalOptions extends PoolOptions {
  settings: LaunchSettings;
}

/** Runs attempts on this machine, under supervisors that outlive the daemon. */
export class LocalExecutor implements Executor, PoolEvents {
  readonly #options: LocalOptions;
  readonly #events: ExecutorEvents;
  readonly #pool: SupervisorPool;
  readonly #held = new HeldAttempts();
  readonly #usage = new UsageSampler();
  /** For each supervisor, the attempts that were held when it last connected, and of which it has told nothing since. */
  readonly #untold = new Map<SupervisorLink, Set<HeldAttempt>>();

  constructor(options: LocalOptions, events: ExecutorEvents) {
    this.#options = options;
    this.#events = events;
    this.#pool = new SupervisorPool(options, this);
  }

  get place(): Place | undefined {
    return this.#pool.current;
  }

  wanted(): void {
    this.#pool.wanted();
  }

  async start(adopted: readonly AdoptedAttempt[]): Promise<void> {
    const { store, settings, log } = this.#options;
    const recorded = new Set(store.supervisors.all().map(({ incarnation }) => incarnation));
    const held = adopted.map((attempt) => this.#held.adopt(attempt));
    // No supervisor is left that could tell of these.
    const unsupervised = held.filter(({ attempt }) => !recorded.has(attempt.incarnation));
    await Promise.all(unsupervised.map((one) => this.#lose(one, undefined)));
    await this.#pool.start();
    const lives = (name: string) => this.#pool.has(incarnationOf(name));
    const stuck = await sweepCgroups(settings.cgroupLayout, lives);
    if (stuck.length > 0) log.warn({ cgroups: stuck }, 'cgroups of earlier attempts are still in use');
  }

  launch(attempt: Attempt): boolean {
    // A dead supervisor is kept while the database gives a task to it: the task of this attempt may have been the last.
    void this.#pool.forgetSettled();
    if (!this.#pool.lives(attempt.incarnation)) return false;
    this.#tellLaunch(this.#held.get(attempt.launch_id) ?? this.#held.add(attempt));
    return true;
  }

  kill(launchId: number, order: KillOrder): void {
    const held = this.#held.get(launchId);
    if (held === undefined) return;
    held.kill = bothOrders(held.kill, order, this.#options.settings.terminationGraceMs);
    held.turn = undefined;
    this.#tellKill(held);
  }

  canPause(launchId: number): boolean | undefined {
    const { attempt } = this.#held.get(launchId) ?? {};
    const version = attempt && this.#pool.launchVersionOf(attempt.incarnation);
    return version === undefined ? undefined : version >= PAUSE_SINCE;
  }

  pause(launchId: number): void {
    this.#turn(launchId, 'pause');
  }

  resume(launchId: number): void {
    this.#turn(launchId, 'resume');
  }

  hears(launchId: number): boolean {
    const held = this.#held.get(launchId);
    return held !== undefined && this.#pool.isConnected(held.attempt.incarnation);
  }

  async usage(launchId: number, runsForMs: number): Promise<LiveUsage | undefined> {
    const { attempt, started } = this.#held.get(launchId) ?? {};
    if (attempt === undefined || started === undefined) return undefined;
    const { cgroupLayout } = this.#options.settings;
    return this.#usage.read(
      attempt.task_id,
      () => attemptPids(attempt, started.pid, cgroupLayout),
      runsForMs,
    );
  }

  async close(drain: boolean): Promise<void> {
    this.#pool.close(drain);
    if (drain) removeLayout(this.#options.settings.cgroupLayout);
    await this.#usage.close();
  }

  connected(link: SupervisorLink): void {
    this.#untold.set(link, new Set(this.#held.under(link.incarnation)));
  }

  message(link: SupervisorLink, message: SupervisorMessage): void {
    switch (message.type) {
      case 'running':
        for (const launch of message.launches) this.#onRunning(link, launch);
        return;
      case 'started':
        this.#onRunning(link, message.launch);
        return;
      case 'timeout': {
        const held = this.#held.of(link.incarnation, message.launch_id);
        if (held === undefined) return;
        held.turn = undefined;
        this.#events.timedOut(held.attempt, message.at_ms);
        return;
      }
      case 'paused': {
        const held = this.#held.of(link.incarnation, message.launch_id);
        if (held !== undefined) this.#events.paused(held.attempt, message.at_ms);
        return;
      }
      case 'resumed': {
        const held = this.#held.of(link.incarnation, message.launch_id);
        if (held === undefined) return;
        if (message.reason !== undefined) held.turn = undefined;
        this.#events.resumed(held.attempt, message.at_ms, message.reason);
        return;
      }
      case 'outcome':
        void this.#onOutcome(link, message.outcome);
        return;
      case 'refused':
        this.#onRefused(link, message.launch_id, message.reason);
        return;
      case 'hello':
      case 'listed':
        return;
    }
  }

  /** An end that is not understood would not be understood the second time either: nobody knows how the attempt ended. */
  garbled(link: SupervisorLink, value: unknown): void {
    const subject = subjectOfOutcome(value);
    if (subject?.token === undefined) return;
    const held = this.#held.of(link.incarnation, subject.launch_id, subject.token);
    if (held === undefined) return;
    this.#untold.get(link)?.delete(held);
    void this.#lose(held, undefined).then((isWritten) => {
      if (isWritten) link.ack(subject.launch_id);
    });
  }

  listed(link: SupervisorLink): void {
    const untold = this.#untold.get(link) ?? new Set<HeldAttempt>();
    this.#untold.delete(link);
    for (const held of this.#held.under(link.incarnation)) {
      if (held.ending !== undefined) continue;
      // The supervisor does not know of it, so what was sent to it before this connection has not arrived, and never will.
      if (!untold.has(held)) {
        if (held.kill !== undefined) this.#tellKill(held);
        continue;
      }
      held.adopted = false;
      if (held.kill !== undefined) this.#refuse(held, 'it was killed before it began', false);
      // The same attempt is sent again, never a new one: the supervisor may have just begun it without having told, and the
      // task would run twice.
      else this.#tellLaunch(held);
    }
  }

  ready(): void {
    this.#events.ready();
  }

  holds(link: SupervisorLink): boolean {
    return this.#held.under(link.incarnation).length > 0;
  }

  async died(link: SupervisorLink): Promise<void> {
    this.#untold.delete(link);
    const { bootId, log, settings } = this.#options;
    const settlement = {
      ended: (held: HeldAttempt, outcome: Outcome) => this.#end(held, outcome),
      refused: (held: HeldAttempt) => {
        this.#refuse(held, 'its supervisor died before it began', false);
      },
      lost: (held: HeldAttempt, running: Running | undefined) => this.#lose(held, running),
    };
    const host = { bootId, log, cgroupLayout: settings.cgroupLayout };
    await settleDead(link, this.#held.under(link.incarnation), settlement, host);
  }

  abandoned(link: SupervisorLink): void {
    for (const held of this.#held.under(link.incarnation)) void this.#lose(held, undefined);
  }

  #onRunning(link: SupervisorLink, launch: Running): void {
    const held = this.#held.of(link.incarnation, launch.launch_id, launch.token);
    if (held === undefined) {
      this.#options.log.warn(
        { launch_id: launch.launch_id },
        'a supervisor runs what no task is known for; it is killed',
      );
      link.send({ type: 'kill', launch_id: launch.launch_id, grace_ms: 0 });
      return;
    }
    this.#untold.get(link)?.delete(held);
    const recovered = held.adopted;
    held.adopted = false;
    held.started = launch;
    this.#events.started(held.attempt, launch, recovered);
    // What was sent over an earlier connection may not have arrived; an earlier daemon may not have told that it goes on.
    if (held.turn !== undefined) this.#tellTurn(held, held.turn);
    else if (launch.paused_at_ms !== undefined && held.kill === undefined) this.#tellTurn(held, 'resume');
  }

  async #onOutcome(link: SupervisorLink, outcome: Outcome): Promise<void> {
    const held = this.#held.of(link.incarnation, outcome.launch_id, outcome.token);
    if (held !== undefined) {
      this.#untold.get(link)?.delete(held);
      if (!(await this.#end(held, outcome))) return;
    }
    link.ack(outcome.launch_id);
  }

  #onRefused(link: SupervisorLink, launchId: number, reason: string): void {
    const held = this.#held.of(link.incarnation, launchId);
    if (held === undefined || held.ending !== undefined) return;
    const { task_id } = held.attempt;
    this.#options.log.warn({ task_id, launch_id: launchId, reason }, 'a supervisor refused an attempt');
    // The current supervisor refuses only when its disk is full.
    this.#refuse(held, reason, link === this.#pool.current);
  }

  #refuse(held: HeldAttempt, reason: string, again: boolean): void {
    this.#forget(held);
    this.#events.refused(held.attempt, reason, again);
  }

  #end(held: HeldAttempt, outcome: Outcome): Promise<boolean> {
    return this.#ending(held, () => this.#events.ended(held.attempt, outcome));
  }

  #lose(held: HeldAttempt, running: Running | undefined): Promise<boolean> {
    return this.#ending(held, () => this.#events.lost(held.attempt, running));
  }

  /** Of several ends the first counts; the others wait for it. */
  #ending(held: HeldAttempt, tell: () => Promise<boolean>): Promise<boolean> {
    const settle = async () => {
      const isWritten = await tell();
      if (isWritten) this.#forget(held);
      return isWritten;
    };
    return (held.ending ??= settle());
  }

  #forget(held: HeldAttempt): void {
    this.#held.remove(held);
    this.#usage.forget(held.attempt.task_id);
  }

  /**
   * Sends the launch message; if the supervisor is not connected, that is done at its next connection. The message may have
   * megabytes, so it is made only when the supervisor has read what was sent before.
   */
  #tellLaunch(held: HeldAttempt): void {
    const { launch_id, launch_token, incarnation } = held.attempt;
    const encode = () => {
      if (held.ending !== undefined || !this.#held.has(held)) return undefined;
      const text = encodeLaunch(held.attempt, this.#options.settings);
      if (typeof text === 'string') return text;
      void this.#end(held, neverBegun(launch_id, launch_token, text, this.#options.now()));
      return undefined;
    };
    this.#pool.sendLater(incarnation, { topic: launch_id, encode });
  }

  #turn(launchId: number, turn: 'pause' | 'resume'): void {
    const held = this.#held.get(launchId);
    if (held === undefined || held.kill !== undefined) return;
    held.turn = turn;
    this.#tellTurn(held, turn);
  }

  #tellTurn({ attempt: { launch_id, incarnation } }: HeldAttempt, type: 'pause' | 'resume'): void {
    if (this.canPause(launch_id) !== false) this.#pool.send(incarnation, { type, launch_id });
  }

  #tellKill({ attempt, kill }: HeldAttempt): void {
    const { launch_id, incarnation } = attempt;
    this.#pool.send(incarnation, { type: 'kill', launch_id, ...kill });
  }
}
