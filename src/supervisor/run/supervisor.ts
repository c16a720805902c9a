import { constants } from 'node:os';
import type { Clock } from '../clock.js';
import { crashPoint } from '../crash-point.js';
import { DiskMeter } from './disk-watch.js';
import { IdSet } from './id-set.js';
import type { JournalRecord } from '../journal/journal.js';
import { PatientJournal, cannotJournal } from '../journal/patient-journal.js';
import type { Journal } from '../journal/patient-journal.js';
import { AttemptQueue } from './attempt-queue.js';
import type { QueuedAttempt } from './attempt-queue.js';
import type { Launcher } from '../spawn/launcher.js';
import type { Log } from '../log.js';
import { subjectOfLaunch } from '../wire/messages.js';
import { neverBegun } from '../wire/never-begun.js';
import { launchVersion } from '../wire/protocol.js';
import type { DaemonMessage, LaunchSpec, Outcome, SupervisorMessage } from '../wire/protocol.js';
import { TaskRun } from './task-run.js';
import { UnownedKiller } from './unowned.js';

export interface SupervisorOptions {
  launcher: Launcher;
  journal: Journal;
  clock: Clock;
  log: Log;
  /** Sends to the connected daemon; without one the message is dropped. */
  tell: (message: SupervisorMessage) => void;
  /** As {@link tell}, for many messages: each is made once the daemon has read those before it. */
  tellLater: (make: () => SupervisorMessage | undefined) => void;
  /** Called whenever no task runs and every end is acknowledged. */
  idle: () => void;
}

type LaunchMessage = Extract<DaemonMessage, { type: 'launch' }>;

/** All attempts that were launched here and are not acknowledged. Launches each at most once and loses no outcome. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #journal: PatientJournal;
  readonly #runs = new Map<number, TaskRun>();
  readonly #outcomes = new Map<number, Outcome>();
  readonly #queue: AttemptQueue;
  readonly #unowned: UnownedKiller;
  readonly #seen = new IdSet();
  /**
   * Attempts that were refused because the journal could not be written: when one is sent again the answer must be the same.
   */
  readonly #refused = new IdSet();
  /** Start time of the process that was made last, in clock ticks since boot: none is made from now on before it. */
  #newestStart = 0;
  #draining = false;
  readonly #diskMeter = new DiskMeter();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#journal = new PatientJournal(options.journal, options.log);
    this.#queue = new AttemptQueue(options.launcher.spawnsAtOnce, (attempts) => this.#begin(attempts));
    const owners = () => [...this.#runs.values()].map((run) => run.asOwner).filter(isDefined);
    this.#unowned = new UnownedKiller(options.launcher, owners, () => this.isIdle && options.idle());
  }

  /** True when no task runs, nothing is being killed and every end is acknowledged. */
  get isIdle(): boolean {
    return !this.hasRuns && this.#outcomes.size === 0;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  handle(message: Exclude<DaemonMessage, { type: 'hello' }>): void {
    switch (message.type) {
      case 'launch': {
        this.#launch(message);
        return;
      }
      case 'kill': {
        const { signal = constants.signals.SIGTERM, grace_ms } = message;
        return this.#runs.get(message.launch_id)?.stop(signal, grace_ms);
      }
      case 'pause':
        return this.#runs.get(message.launch_id)?.pause();
      case 'resume':
        return this.#runs.get(message.launch_id)?.resume();
      case 'list': {
        this.#list();
        return;
      }
      case 'ack': {
        this.#acknowledge(message.launch_ids);
        return;
      }
      case 'drain':
        this.#draining = true;
        if (this.isIdle) this.#options.idle();
    }
  }

  /**
   * Answers a launch message that is not understood; without an answer the daemon would send it again for ever. An attempt
   * that has begun here goes on.
   */
  handleGarbled(value: unknown): void {
    const subject = subjectOfLaunch(value);
    if (subject === undefined || this.#seen.has(subject.launch_id)) return;
    const { launch_id, token } = subject;
    if (token === undefined) {
      this.#options.tell({ type: 'refused', launch_id, reason: 'the launch message is not understood' });
      return;
    }
    this.#seen.add(launch_id);
    this.#neverBegan(
      launch_id,
      token,
      'the attempt was refused: its launch message is not understood by the supervisor',
    );
  }

  /** Ends every task: TERM now, KILL after the grace of each. */
  stopAll(): void {
    for (const run of [...this.#runs.values()]) run.stop(constants.signals.SIGTERM);
  }

  /** True while a task runs here, or what is left of one is being killed. */
  get hasRuns(): boolean {
    return this.#runs.size > 0 || this.#unowned.isBusy;
  }

  #launch(message: LaunchMessage): void {
    const { launch_id, token, spec } = message;
    const { tell } = this.#options;
    if (this.#seen.has(launch_id)) {
      this.#tellState(launch_id, token);
      return;
    }
    const reason = this.#refusal(message.version);
    if (reason !== undefined) {
      tell({ type: 'refused', launch_id, reason });
      return;
    }
    this.#seen.add(launch_id);
    const run = this.#makeRun(launch_id, token, spec);
    this.#runs.set(launch_id, run);
    this.#queue.add({ run, spec });
  }

  #begin(attempts: QueuedAttempt[]): void {
    crashPoint('before_began');
    try {
      const at_ms = this.#options.clock.now();
      this.#journal.write(...attempts.map(({ run }) => began(run, at_ms)));
    } catch (error) {
      for (const { run } of attempts) this.#refuse(run, cannotJournal(error));
      return;
    }
    crashPoint('after_began');
    for (const { run, spec } of attempts) run.start(spec, this.#newestStart);
  }

  #refuse(run: TaskRun, reason: string): void {
    this.#refused.add(run.launchId);
    this.#runs.delete(run.launchId);
    this.#queue.spawned(run);
    this.#options.tell({ type: 'refused', launch_id: run.launchId, reason });
    if (this.isIdle) this.#options.idle();
  }

  #refusal(version: number): string | undefined {
    if (version !== launchVersion())
      return `launch messages of version ${version} are not understood here, only those of version ${launchVersion()}`;
    return this.#draining ? 'this supervisor accepts no further attempts' : undefined;
  }

  /** Answers a launch message that came before: the attempt is never launched again. */
  #tellState(launchId: number, token: string): void {
    const { tell } = this.#options;
    if (this.#refused.has(launchId)) {
      tell({ type: 'refused', launch_id: launchId, reason: 'it was refused before' });
      return;
    }
    const run = this.#runs.get(launchId);
    const outcome = this.#outcomes.get(launchId);
    const known = run?.token ?? outcome?.token;
    if (known !== undefined && known !== token) {
      tell({
        type: 'refused',
        launch_id: launchId,
        reason: 'another attempt, with another token, had this id here',
      });
      return;
    }
    if (outcome !== undefined) {
      tell({ type: 'outcome', outcome });
      return;
    }
    if (run === undefined) {
      this.#neverBegan(launchId, token, `attempt ${launchId} has ended here before and was acknowledged`);
      return;
    }
    if (run.running !== undefined) tell({ type: 'started', launch: run.running });
  }

  #makeRun(launchId: number, token: string, spec: LaunchSpec): TaskRun {
    const { launcher, clock, log, tell } = this.#options;
    const run: TaskRun = new TaskRun(launchId, token, spec, {
      launcher,
      diskMeter: this.#diskMeter,
      clock,
      log,
      spawned: (launch) => {
        crashPoint('after_spawn');
        this.#newestStart = Math.max(this.#newestStart, launch.start_ticks);
        this.#queue.spawned(run);
        this.#journal.writeSoon({ t: 'started', launch });
      },
      started: (launch) => tell({ type: 'started', launch }),
      timedOut: (at_ms) => tell({ type: 'timeout', launch_id: launchId, at_ms }),
      paused: (at_ms) => tell({ type: 'paused', launch_id: launchId, at_ms }),
      resumed: (at_ms, reason) => tell({ type: 'resumed', launch_id: launchId, at_ms, reason }),
      ended: (outcome) => {
        this.#runs.delete(launchId);
        this.#queue.spawned(run);
        this.#unowned.look();
        this.#finish(outcome);
      },
    });
    return run;
  }

  #neverBegan(launchId: number, token: string, message: string): void {
    const failure = { stage: 'launch', message } as const;
    this.#finish(neverBegun(launchId, token, failure, this.#options.clock.now()));
  }

  #finish(outcome: Outcome): void {
    crashPoint('before_outcome_journal');
    this.#outcomes.set(outcome.launch_id, outcome);
    this.#journal.writeSoon({ t: 'outcome', outcome });
    crashPoint('after_outcome_journal');
    this.#options.tell({ type: 'outcome', outcome });
    crashPoint('after_outcome_told');
  }

  #list(): void {
    const { tell, tellLater } = this.#options;
    const launches = [...this.#runs.values()].map((run) => run.now).filter(isDefined);
    tell({ type: 'running', launches });
    for (const id of this.#outcomes.keys())
      tellLater(() => {
        const outcome = this.#outcomes.get(id);
        return outcome === undefined ? undefined : { type: 'outcome', outcome };
      });
    tellLater(() => ({ type: 'listed' }));
  }

  #acknowledge(launchIds: readonly number[]): void {
    const known = launchIds.filter((id) => this.#outcomes.delete(id));
    if (known.length === 0) return;
    crashPoint('before_ack_journal');
    this.#journal.writeSoon({ t: 'acked', launch_ids: known });
    this.#journal.compact(() => this.#liveRecords());
    if (this.isIdle) this.#options.idle();
  }

  #liveRecords(): JournalRecord[] {
    const runs = [...this.#runs.values()].flatMap((run): JournalRecord[] => {
      if (!run.hasBegun) return [];
      const launch = run.spawned;
      const record = began(run, launch?.started_at_ms ?? this.#options.clock.now());
      return launch === undefined ? [record] : [record, { t: 'started', launch }];
    });
    const ended = [...this.#outcomes.values()].map((outcome): JournalRecord => ({ t: 'outcome', outcome }));
    return [...runs, ...ended];
  }
}

function began(run: TaskRun, at_ms: number): JournalRecord {
  return { t: 'began', launch_id: run.launchId, token: run.token, at_ms };
}

function isDefined<T>(value: T | undefined): value is T {
  return value !== undefined;
}
