import { constants } from 'node:os';
import { chainLaunch, type ChainLaunch } from '../../sandbox/chain/chain.js';
import { childState } from '../../sandbox/process/process-identity.js';
import { ChainWatch } from './chain-watch.js';
import { Deadline } from './deadlines.js';
import { hasNul, needsChain } from '../spawn/launch-check.js';
import { cannotLaunch } from '../spawn/launch-error.js';
import type { ExitStatus, LaunchedProcess, StreamName } from '../spawn/launcher.js';
import { cpuLimitOf, outcomeOf } from './outcome.js';
import type { LaunchEnd } from './outcome.js';
import type { LaunchSpec, Running } from '../wire/protocol.js';
import { TaskOutput } from '../capture/task-output.js';
import type { TaskRunContext } from './task-run-context.js';
import { TaskStop } from './task-stop.js';
import { TaskTracking } from './task-tracking.js';
import { TaskTree } from './task-tree.js';
import type { PossibleOwner } from './unowned.js';

const { SIGKILL, SIGTERM } = constants.signals;

/**
 * After KILL, and after the leader's end and its grace: whatever can be found is killed once more after the first time, and
 * what still lives after the second is named as a survivor.
 */
const LAST_KILL_MS = 1800;
const GIVE_UP_MS = 2000;
/** The tree is looked at again after this, then after twice as long each time, up to the second number. */
const SWEEP_FIRST_MS = 2;
const SWEEP_LAST_MS = 64;

/** One launch from its spawn until its whole process tree is gone and its output is complete. */
export class TaskRun {
  readonly launchId: number;
  readonly token: string;
  readonly #spec: Omit<LaunchSpec, 'argv' | 'env'>;
  readonly #program: string;
  readonly #context: TaskRunContext;
  readonly #output: TaskOutput;
  readonly #openStreams = new Set<StreamName>();
  readonly #tracking: TaskTracking;
  #notBefore: number | undefined;
  #tree: TaskTree | undefined;
  #running: Running | undefined;
  #confirmed = false;
  /** Absent when the program is spawned directly. */
  readonly #chain: ChainWatch | undefined;
  #spawnedAt = 0;
  #exit: { status: ExitStatus; atMs: number; durationMs: number } | undefined;
  readonly #stopping = new TaskStop(
    (signal) => this.#signalProgram(signal),
    () => this.#killAll(),
  );
  #timeoutAtMs: number | undefined;
  /** Nothing was left of it at the last look, and nobody has been killed since. */
  #isTreeGone = false;
  #over = false;
  #wallTime: Deadline | undefined;
  #giveUp: Deadline | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;

  constructor(launchId: number, token: string, spec: LaunchSpec, context: TaskRunContext) {
    this.launchId = launchId;
    this.token = token;
    // Arguments and environment may be megabytes, and are needed only until the spawn.
    const { argv, env, ...kept } = spec;
    this.#spec = kept;
    this.#program = argv[0];
    this.#context = context;
    if (needsChain(spec) || context.launcher.alwaysChain)
      this.#chain = new ChainWatch(argv[0], env.PATH, spec.cwd, spec.chain?.forks === true, () =>
        this.#confirm(),
      );
    this.#output = new TaskOutput(spec);
    this.#tracking = new TaskTracking(spec.cgroup);
  }

  /** The process, once the program is known to run. */
  get running(): Running | undefined {
    return this.#confirmed ? this.#running : undefined;
  }

  /** True from the moment at which its process may exist. */
  get hasBegun(): boolean {
    return this.#notBefore !== undefined;
  }

  /** What tells whether an orphan can be its own; undefined before it has begun. */
  get asOwner(): PossibleOwner | undefined {
    if (this.#notBefore === undefined) return undefined;
    return { startTicks: this.#running?.start_ticks ?? this.#notBefore, tracked: this.#tracking.isComplete };
  }

  /** The process, from the spawn on. */
  get spawned(): Running | undefined {
    return this.#running;
  }

  /**
   * Makes the process, by and by. `spawned` or `ended` may be called before this returns.
   * @param spec the one that the run was made with.
   * @param notBefore clock ticks since boot of a moment that is past.
   */
  start(spec: LaunchSpec, notBefore: number): void {
    this.#notBefore = notBefore;
    const { launcher, clock, log } = this.#context;
    this.#output.open(this.launchId, log);
    if (hasNul(spec)) {
      this.#fail('launch', cannotLaunch(this.#program, 'contains a NUL byte'));
      return;
    }
    let launch: ChainLaunch;
    try {
      if (this.#chain === undefined) launch = spec;
      else {
        this.#tracking.make();
        launch = chainLaunch(spec.chain ?? { wrappers: [] }, spec.cgroup, spec);
      }
    } catch (error) {
      this.#fail('sandbox', (error as Error).message);
      return;
    }
    this.#openStreams.add('stdout').add('stderr');
    if (this.#chain !== undefined) this.#openStreams.add('report');
    const startedAtMs = clock.now();
    this.#spawnedAt = clock.monotonic();
    const { argv, env, cwd } = launch;
    launcher.spawn(
      { argv, env, cwd, report: this.#chain !== undefined, outputOwner: spec.chain?.output_owner },
      {
        spawned: (process) => this.#spawned(process, startedAtMs),
        data: (stream, chunk) => this.#data(stream, chunk),
        end: (stream) => this.#end(stream),
        exit: (status) => this.#exited(status),
        failed: (reason, fileAtFault) => {
          // A chain begins with another file than the program.
          const file = fileAtFault && argv[0] !== this.#program ? argv[0] : undefined;
          if (file === undefined) this.#fail('launch', cannotLaunch(this.#program, reason));
          else this.#fail('sandbox', cannotLaunch(this.#program, `${file}: ${reason}`));
        },
      },
    );
  }

  #spawned(process: LaunchedProcess, startedAtMs: number): void {
    const { launcher, clock } = this.#context;
    const { pid } = process;
    const state = childState(pid);
    if (this.#chain === undefined && state?.hasEnded !== true) this.#track(process);
    this.#tree = new TaskTree({ launcher, leader: process, token: this.token, tracking: this.#tracking });
    this.#running = {
      launch_id: this.launchId,
      token: this.token,
      pid,
      start_ticks: state?.startTicks ?? 0,
      started_at_ms: startedAtMs,
    };
    this.#context.spawned(this.#running);
    if (this.#chain === undefined) this.#confirm();
    this.#stopping.begin();
    if (this.#spec.wall_time_ms === 0) return;
    const passedMs = clock.monotonic() - this.#spawnedAt;
    this.#wallTime = new Deadline(Math.max(0, this.#spec.wall_time_ms - passedMs), () => this.#timeout());
  }

  /**
   * Ends the task: `signal` now or with the spawn, KILL after the grace. The first stop counts; of
   * a later one, only a shorter grace does. One that has ended is left alone. Its wall time goes on: the signal may be one
   * that ends nothing, and the grace longer than what is left.
   * @param graceMs milliseconds; the launch's own by default.
   */
  stop(signal: number, graceMs = this.#spec.grace_ms, reason: 'timeout' | 'kill' = 'kill'): void {
    if (this.#exit !== undefined) return;
    this.#stopping.request(reason, signal, graceMs);
  }

  /** A leader that only waits for the program would end of a signal before the program can. */
  #signalProgram(signal: number): void {
    if (this.#spec.chain?.forks === true && this.#chain?.reached === true) this.#tree?.signalBelow(signal);
    else this.#tree?.signalGroup(signal);
  }

  #timeout(): void {
    this.#timeoutAtMs = this.#context.clock.now();
    this.#context.timedOut(this.#timeoutAtMs);
    this.stop(SIGTERM, this.#spec.grace_ms, 'timeout');
  }

  /** Everything of a task whose leader is still there. */
  #killAll(): void {
    if (this.#tree === undefined || this.#exit !== undefined) return;
    this.#tree.kill();
    this.#giveUp ??= new Deadline(LAST_KILL_MS, () => this.#killFound());
  }

  #exited(leader: ExitStatus): void {
    const { clock } = this.#context;
    if (this.#over) return;
    const status = this.#chain?.endOfProgram(leader) ?? leader;
    this.#exit = { status, atMs: clock.now(), durationMs: clock.monotonic() - this.#spawnedAt };
    this.#wallTime?.cancel();
    this.#stopping.cancel();
    this.#tracking.leaderEnded();
    this.#giveUp?.cancel();
    this.#giveUp = new Deadline(this.#spec.grace_ms + LAST_KILL_MS, () => this.#killFound());
    this.#sweep(SWEEP_FIRST_MS);
  }

  /** Kills what remains of the tree, again and again until nothing does and nobody holds a stream. */
  #sweep(nextMs: number): void {
    // At the first look a stream may still be held by a process that is just becoming another task.
    const killHolders = this.#openStreams.size > 0 && nextMs > SWEEP_FIRST_MS;
    const isGone = this.#tree?.killRest(killHolders) ?? true;
    this.#isTreeGone = isGone && !killHolders;
    if (isGone && this.#openStreams.size === 0) this.#finish([]);
    else this.#sweepTimer = setTimeout(() => this.#sweep(Math.min(2 * nextMs, SWEEP_LAST_MS)), nextMs);
  }

  /** Also what only a look at every process of this machine finds, which is too dear for each end. */
  #killFound(): void {
    this.#tree?.killFound(this.#exit !== undefined);
    this.#giveUp = new Deadline(GIVE_UP_MS - LAST_KILL_MS, () => this.#surrender());
  }

  /** The kernel holds something that cannot be killed now; the task ends without it. */
  #surrender(): void {
    // Ends that came while this process was too busy for them are told first.
    setImmediate(() => {
      if (!this.#over) this.#finish(this.#tree?.survivors(this.#exit !== undefined) ?? []);
    });
  }

  #data(stream: StreamName, chunk: Buffer): void {
    if (stream === 'report') return this.#chain?.reported(chunk);
    if (stream === 'stderr') this.#chain?.said(chunk);
    this.#output[stream].write(chunk);
  }

  #end(stream: StreamName): void {
    this.#openStreams.delete(stream);
    if (stream === 'report') this.#chain?.fellSilent();
    // The launcher ends streams before it tells the exit; only those that end later are waited for.
    if (this.#openStreams.size > 0 || this.#exit === undefined || this.#over) return;
    clearTimeout(this.#sweepTimer);
    if (this.#isTreeGone) this.#finish([]);
    else this.#sweep(SWEEP_FIRST_MS);
  }

  #confirm(): void {
    if (this.#confirmed || this.#over || this.#running === undefined) return;
    this.#confirmed = true;
    this.#context.started(this.#running);
  }

  #track(process: LaunchedProcess): void {
    const strays = () => this.#context.launcher.strays(this.token);
    this.#tracking.enterSoon(process, strays, (error) =>
      this.#context.log('cannot track a task', { launch_id: this.launchId, error: String(error) }),
    );
  }

  #fail(stage: 'launch' | 'sandbox', message: string): void {
    this.#close({
      status: { usage: {} },
      atMs: this.#context.clock.now(),
      durationMs: 0,
      failure: { stage, message },
      survivors: [],
    });
  }

  #finish(survivors: number[]): void {
    const { clock } = this.#context;
    const exit = this.#exit ?? {
      status: { signal: SIGKILL, usage: {} },
      atMs: clock.now(),
      durationMs: clock.monotonic() - this.#spawnedAt,
    };
    // A chain that was killed on its way has not failed by itself.
    const failure = this.#stopping.first === undefined ? this.#chain?.failure(exit.status) : undefined;
    this.#close({ ...exit, failure, survivors });
  }

  #close(end: Pick<LaunchEnd, 'status' | 'atMs' | 'durationMs' | 'failure' | 'survivors'>): void {
    this.#over = true;
    for (const timer of [this.#wallTime, this.#stopping, this.#giveUp]) timer?.cancel();
    clearTimeout(this.#sweepTimer);
    this.#chain?.close();
    // What is still open is held by survivors.
    this.#tree?.closeStreams();
    this.#tracking.close();
    const outcome = outcomeOf({
      launchId: this.launchId,
      token: this.token,
      running: this.#running,
      firstStop: this.#stopping.first,
      timeoutAtMs: this.#timeoutAtMs,
      cpuLimitSec: cpuLimitOf(this.#spec.chain),
      cgroup: this.#tracking.cgroup?.usage,
      ...this.#output.close(),
      ...end,
    });
    this.#context.ended(outcome);
  }
}
