import { constants } from 'node:os';
import { chainArgv } from '../sandbox/chain.js';
import { startTicks } from '../sandbox/process-identity.js';
import { ChainWatch } from './chain-watch.js';
import { Deadline } from './deadlines.js';
import { hasNul, needsChain } from './launch-check.js';
import { cannotLaunch } from './launch-error.js';
import type { ExitStatus, LaunchedProcess, StreamName } from './launcher.js';
import { OutputCapture } from './output-capture.js';
import { outcomeOf } from './outcome.js';
import type { LaunchEnd } from './outcome.js';
import type { LaunchSpec, Outcome, Running } from './protocol.js';
import { TaskCgroup } from './task-cgroup.js';
import type { TaskRunContext } from './task-run-context.js';
import { TaskTree } from './task-tree.js';
import type { PossibleOwner } from './unowned.js';

const { SIGCONT, SIGKILL } = constants.signals;

/** After KILL, and after the leader's end and its grace, what still lives is named as a survivor. */
const GIVE_UP_MS = 2000;
/** The tree is looked at again after this, then after twice as long each time, up to the second number. */
const SWEEP_FIRST_MS = 2;
const SWEEP_LAST_MS = 64;
/** A chain that has said `ok` and stays open this long without a further word has reached the program. */
const CHAIN_SILENCE_MS = 100;

/** One launch from its spawn until its whole process tree is gone and its output is complete. */
export class TaskRun {
  readonly launchId: number;
  readonly token: string;
  readonly #spec: Omit<LaunchSpec, 'argv' | 'env'>;
  readonly #program: string;
  readonly #context: TaskRunContext;
  readonly #capture: { stdout: OutputCapture; stderr: OutputCapture };
  readonly #openStreams = new Set<StreamName>();
  #cgroup: TaskCgroup | undefined;
  #process: LaunchedProcess | undefined;
  /** Its processes are in a cgroup of their own. */
  #isTracked = false;
  #notBefore: number | undefined;
  #tree: TaskTree | undefined;
  #running: Running | undefined;
  #confirmed = false;
  /** Absent when the program is spawned directly. */
  readonly #chain: ChainWatch | undefined;
  #spawnedAt = 0;
  #exit: { status: ExitStatus; atMs: number; durationMs: number } | undefined;
  /** What came before the process. */
  #earlyStops: { signal: number; graceMs: number }[] = [];
  #firstStop: 'timeout' | 'kill' | undefined;
  #timeoutAtMs: number | undefined;
  #over = false;
  #wallTime: Deadline | undefined;
  #killDeadline: Deadline | undefined;
  #giveUp: Deadline | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;
  #chainTimer: NodeJS.Timeout | undefined;

  constructor(launchId: number, token: string, spec: LaunchSpec, context: TaskRunContext) {
    this.launchId = launchId;
    this.token = token;
    // Arguments and environment may be megabytes, and are needed only until the spawn.
    const { argv, env: _env, ...kept } = spec;
    this.#spec = kept;
    this.#program = argv[0];
    this.#context = context;
    if (needsChain(spec) || context.launcher.alwaysChain)
      this.#chain = new ChainWatch(argv[0], spec.chain?.forks === true);
    this.#capture = { stdout: new OutputCapture(spec.stdout), stderr: new OutputCapture(spec.stderr) };
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
    return { startTicks: this.#running?.start_ticks ?? this.#notBefore, tracked: this.#isTracked };
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
    const { cgroup, cwd, env } = spec;
    for (const capture of Object.values(this.#capture)) {
      capture.open();
      if (capture.error !== undefined)
        log('cannot keep output', { launch_id: this.launchId, error: capture.error.message });
    }
    if (hasNul(spec)) {
      this.#fail('launch', cannotLaunch(this.#program, 'contains a NUL byte'));
      return;
    }
    let argv: string[];
    try {
      if (cgroup !== undefined) this.#cgroup = new TaskCgroup(cgroup);
      argv =
        this.#chain === undefined ? spec.argv : chainArgv(spec.chain ?? { wrappers: [] }, cgroup, spec.argv);
    } catch (error) {
      this.#fail('sandbox', (error as Error).message);
      return;
    }
    this.#openStreams.add('stdout').add('stderr');
    if (this.#chain !== undefined) this.#openStreams.add('report');
    const startedAtMs = clock.now();
    this.#spawnedAt = clock.monotonic();
    launcher.spawn(
      { argv, env, cwd, report: this.#chain !== undefined },
      {
        spawned: (process) => this.#spawned(process, startedAtMs),
        data: (stream, chunk) => this.#data(stream, chunk),
        end: (stream) => this.#end(stream),
        exit: (status) => this.#exited(status),
        failed: (reason, fileAtFault) => {
          // A chain begins with another file than the program.
          const stage = fileAtFault && argv[0] !== this.#program ? 'sandbox' : 'launch';
          this.#fail(
            stage,
            cannotLaunch(this.#program, stage === 'launch' ? reason : `${argv[0] ?? ''}: ${reason}`),
          );
        },
      },
    );
  }

  #spawned(process: LaunchedProcess, startedAtMs: number): void {
    const { launcher, clock } = this.#context;
    const { pid } = process;
    this.#process = process;
    this.#tree = new TaskTree({ launcher, leader: process, token: this.token, cgroup: this.#cgroup });
    if (this.#chain === undefined) this.#track(pid);
    else this.#isTracked = this.#cgroup !== undefined;
    this.#running = {
      launch_id: this.launchId,
      token: this.token,
      pid,
      start_ticks: startTicks(pid) ?? 0,
      started_at_ms: startedAtMs,
    };
    const passedMs = clock.monotonic() - this.#spawnedAt;
    this.#wallTime = new Deadline(Math.max(0, this.#spec.wall_time_ms - passedMs), () => this.#timeout());
    this.#context.spawned(this.#running);
    if (this.#chain === undefined) this.#confirm();
    for (const { signal, graceMs } of this.#earlyStops.splice(0)) this.stop(signal, graceMs);
  }

  /**
   * Ends the task because it was told to: `signal` now or with the spawn, KILL after the grace. The first stop counts; of
   * a later one, only a shorter grace does. One that has ended is left alone.
   * @param graceMs milliseconds; the launch's own by default.
   */
  stop(signal: number, graceMs = this.#spec.grace_ms): void {
    if (this.#tree === undefined) this.#earlyStops.push({ signal, graceMs });
    else this.#stop('kill', signal, graceMs);
  }

  #stop(reason: 'timeout' | 'kill', signal: number, graceMs: number): void {
    if (this.#tree === undefined || this.#exit !== undefined) return;
    if (this.#firstStop === undefined) {
      this.#firstStop = reason;
      this.#wallTime?.cancel();
      // A stopped process takes its signal only when it goes on.
      if (graceMs > 0) for (const each of [signal, SIGCONT]) this.#signalProgram(each);
    }
    if (this.#killDeadline !== undefined && this.#killDeadline.leftMs <= graceMs) return;
    this.#killDeadline?.cancel();
    if (graceMs > 0) this.#killDeadline = new Deadline(graceMs, () => this.#killAll());
    else this.#killAll();
  }

  /** A leader that only waits for the program would end of a signal before the program can. */
  #signalProgram(signal: number): void {
    if (this.#spec.chain?.forks === true && this.#chain?.reached === true) this.#tree?.signalBelow(signal);
    else this.#tree?.signalGroup(signal);
  }

  #timeout(): void {
    this.#timeoutAtMs = this.#context.clock.now();
    this.#context.timedOut(this.#timeoutAtMs);
    this.#stop('timeout', constants.signals.SIGTERM, this.#spec.grace_ms);
  }

  /** Everything of a task whose leader is still there. */
  #killAll(): void {
    if (this.#tree === undefined || this.#exit !== undefined) return;
    this.#tree.kill();
    this.#giveUp ??= new Deadline(GIVE_UP_MS, () => this.#surrender());
  }

  #exited(leader: ExitStatus): void {
    const { clock } = this.#context;
    if (this.#over) return;
    const status = this.#chain?.endOfProgram(leader) ?? leader;
    this.#exit = { status, atMs: clock.now(), durationMs: clock.monotonic() - this.#spawnedAt };
    this.#wallTime?.cancel();
    this.#killDeadline?.cancel();
    this.#giveUp?.cancel();
    this.#giveUp = new Deadline(this.#spec.grace_ms + GIVE_UP_MS, () => this.#surrender());
    this.#sweep(SWEEP_FIRST_MS);
  }

  /** Kills what remains of the tree, again and again until nothing does and nobody holds a stream. */
  #sweep(nextMs: number): void {
    const gone = this.#tree?.killRest(this.#openStreams.size > 0) ?? true;
    if (gone && this.#openStreams.size === 0) this.#finish([]);
    else this.#sweepTimer = setTimeout(() => this.#sweep(Math.min(2 * nextMs, SWEEP_LAST_MS)), nextMs);
  }

  /** The kernel holds something that cannot be killed now; the task ends without it. */
  #surrender(): void {
    if (this.#over) return;
    this.#finish(this.#tree?.survivors(this.#exit !== undefined) ?? []);
  }

  #data(stream: StreamName, chunk: Buffer): void {
    if (stream === 'report') {
      this.#chain?.reported(chunk);
      if (this.#chain?.reached === true)
        this.#chainTimer ??= setTimeout(() => this.#chain?.reached && this.#confirm(), CHAIN_SILENCE_MS);
      return;
    }
    if (stream === 'stderr') this.#chain?.said(chunk);
    this.#capture[stream].write(chunk);
  }

  #end(stream: StreamName): void {
    this.#openStreams.delete(stream);
    if (stream === 'report' && this.#chain?.reached === true) this.#confirm();
    // The launcher ends streams before it tells the exit; only those that end later are waited for.
    if (this.#openStreams.size > 0 || this.#exit === undefined || this.#over) return;
    clearTimeout(this.#sweepTimer);
    this.#sweep(SWEEP_FIRST_MS);
  }

  #confirm(): void {
    if (this.#confirmed || this.#over || this.#running === undefined) return;
    this.#confirmed = true;
    this.#context.started(this.#running);
  }

  /** What tracks a task without limits is worth having, not worth failing for. */
  #track(pid: number): void {
    try {
      this.#cgroup?.enter(pid);
      this.#isTracked = this.#cgroup !== undefined;
    } catch (error) {
      this.#context.log('cannot track a task', { launch_id: this.launchId, error: String(error) });
    }
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
    this.#close({ ...exit, failure: this.#chainFailure(exit.status), survivors });
  }

  #chainFailure(status: ExitStatus): Outcome['failure'] {
    // A chain that was killed on its way has not failed by itself.
    return this.#firstStop === undefined ? this.#chain?.failure(status) : undefined;
  }

  #close(end: Pick<LaunchEnd, 'status' | 'atMs' | 'durationMs' | 'failure' | 'survivors'>): void {
    this.#over = true;
    for (const deadline of [this.#wallTime, this.#killDeadline, this.#giveUp]) deadline?.cancel();
    clearTimeout(this.#sweepTimer);
    clearTimeout(this.#chainTimer);
    // What is still open is held by survivors.
    this.#process?.closeStreams();
    this.#cgroup?.removeLater();
    const outcome = outcomeOf({
      launchId: this.launchId,
      token: this.token,
      running: this.#running,
      firstStop: this.#firstStop,
      timeoutAtMs: this.#timeoutAtMs,
      cpuLimitSec: this.#spec.chain?.cpu_sec,
      cgroup: this.#cgroup?.usage,
      stdout: this.#capture.stdout.close(),
      stderr: this.#capture.stderr.close(),
      ...end,
    });
    this.#context.ended(outcome);
  }
}
