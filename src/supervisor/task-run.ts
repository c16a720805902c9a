import { constants } from 'node:os';
import { chainArgv } from '../sandbox/chain.js';
import { readReport } from '../sandbox/chain-report.js';
import { descendantsOf, findByToken, startTicks } from '../sandbox/process-identity.js';
import type { Clock } from './clock.js';
import { Deadline } from './deadlines.js';
import { cannotLaunch } from './launch-error.js';
import type { ExitStatus, LaunchedProcess, Launcher, StreamName } from './launcher.js';
import type { Log } from './log.js';
import { OutputCapture } from './output-capture.js';
import { outcomeOf } from './outcome.js';
import type { LaunchEnd } from './outcome.js';
import type { LaunchSpec, Outcome, Running } from './protocol.js';
import { TaskCgroup } from './task-cgroup.js';

const { SIGCONT, SIGKILL } = constants.signals;

/** After KILL, and after the leader's end and its grace, what still lives is named as a survivor. */
const GIVE_UP_MS = 2000;
/** The tree is looked at again after this, then after twice as long each time, up to the second number. */
const SWEEP_FIRST_MS = 2;
const SWEEP_LAST_MS = 64;
/** A chain that has said `ok` and stays open this long without a further word has reached the program. */
const CHAIN_SILENCE_MS = 100;
/** A chain's own words are at the start of stderr. */
const STDERR_HEAD_BYTES = 4096;
const REPORT_BYTES = 4096;

export interface TaskRunContext {
  launcher: Launcher;
  clock: Clock;
  log: Log;
  /** The process exists; whether the program is reached is not known yet. */
  spawned(run: TaskRun, running: Running): void;
  /** The program runs. */
  started(run: TaskRun, running: Running): void;
  /** The wall time has passed. */
  timedOut(run: TaskRun, atMs: number): void;
  /** Everything is over. Called once. */
  ended(run: TaskRun, outcome: Outcome): void;
}

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
  #running: Running | undefined;
  #confirmed = false;
  #viaChain: boolean;
  #report = '';
  #stderrHead = '';
  #spawnedAt = 0;
  #exit: { status: ExitStatus; atMs: number; durationMs: number } | undefined;
  #firstStop: 'timeout' | 'kill' | undefined;
  #timeoutAtMs: number | undefined;
  #groupGone = false;
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
    this.#viaChain = needsChain(spec) || context.launcher.alwaysChain;
    this.#capture = { stdout: new OutputCapture(spec.stdout), stderr: new OutputCapture(spec.stderr) };
    for (const { error } of Object.values(this.#capture))
      if (error !== undefined)
        context.log('cannot keep output', { launch_id: launchId, error: error.message });
  }

  /** The process, once the program is known to run. */
  get running(): Running | undefined {
    return this.#confirmed ? this.#running : undefined;
  }

  /** The process, from the spawn on. */
  get spawned(): Running | undefined {
    return this.#running;
  }

  /**
   * Makes the process. `ended` may be called before this returns.
   * @param spec the one that the run was made with.
   */
  start(spec: LaunchSpec): void {
    const { launcher, clock } = this.#context;
    const { cgroup, cwd, env } = spec;
    if (hasNul(spec)) {
      this.#fail('launch', cannotLaunch(this.#program, 'contains a NUL byte'));
      return;
    }
    let argv: string[];
    try {
      if (cgroup !== undefined) this.#cgroup = new TaskCgroup(cgroup);
      argv = this.#viaChain ? chainArgv(spec.chain ?? { wrappers: [] }, cgroup, spec.argv) : spec.argv;
    } catch (error) {
      this.#fail('sandbox', (error as Error).message);
      return;
    }
    this.#openStreams.add('stdout').add('stderr');
    if (this.#viaChain) this.#openStreams.add('report');
    const startedAtMs = clock.now();
    this.#spawnedAt = clock.monotonic();
    this.#process = launcher.spawn(
      { argv, env, cwd, report: this.#viaChain },
      {
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
    if (this.#process === undefined) return;
    const { pid } = this.#process;
    if (!this.#viaChain) this.#track(pid);
    this.#running = {
      launch_id: this.launchId,
      token: this.token,
      pid,
      start_ticks: startTicks(pid) ?? 0,
      started_at_ms: startedAtMs,
    };
    this.#wallTime = new Deadline(spec.wall_time_ms, () => this.#timeout());
    this.#context.spawned(this, this.#running);
    if (!this.#viaChain) this.#confirm();
  }

  /**
   * Ends the task because it was told to: `signal` now, KILL after the grace. The first stop counts; of a later one, only
   * a shorter grace does. One that has ended is left alone.
   * @param graceMs milliseconds; the launch's own by default.
   */
  stop(signal: number, graceMs = this.#spec.grace_ms): void {
    this.#stop('kill', signal, graceMs);
  }

  #stop(reason: 'timeout' | 'kill', signal: number, graceMs: number): void {
    if (this.#process === undefined || this.#exit !== undefined) return;
    if (this.#firstStop === undefined) {
      this.#firstStop = reason;
      this.#wallTime?.cancel();
      if (graceMs > 0) {
        const group = -this.#process.pid;
        this.#context.launcher.signal(group, signal);
        // A stopped process takes its signal only when it goes on.
        this.#context.launcher.signal(group, SIGCONT);
      }
    }
    if (this.#killDeadline !== undefined && this.#killDeadline.leftMs <= graceMs) return;
    this.#killDeadline?.cancel();
    if (graceMs > 0) this.#killDeadline = new Deadline(graceMs, () => this.#killAll());
    else this.#killAll();
  }

  #timeout(): void {
    this.#timeoutAtMs = this.#context.clock.now();
    this.#context.timedOut(this, this.#timeoutAtMs);
    this.#stop('timeout', constants.signals.SIGTERM, this.#spec.grace_ms);
  }

  /** Everything of a task whose leader is still there. */
  #killAll(): void {
    if (this.#process === undefined || this.#exit !== undefined) return;
    const { launcher } = this.#context;
    const { pid } = this.#process;
    const below = descendantsOf(pid);
    launcher.signal(-pid, SIGKILL);
    this.#cgroup?.kill();
    for (const each of [...below, ...launcher.strays(this.token)]) launcher.signal(each, SIGKILL);
    this.#giveUp ??= new Deadline(GIVE_UP_MS, () => this.#surrender());
  }

  #exited(status: ExitStatus): void {
    const { clock } = this.#context;
    if (this.#over) return;
    this.#exit = { status, atMs: clock.now(), durationMs: clock.monotonic() - this.#spawnedAt };
    this.#wallTime?.cancel();
    this.#killDeadline?.cancel();
    this.#giveUp?.cancel();
    this.#giveUp = new Deadline(this.#spec.grace_ms + GIVE_UP_MS, () => this.#surrender());
    this.#sweep(SWEEP_FIRST_MS);
  }

  /** Kills what remains of the tree, again and again until nothing does and nobody holds a stream. */
  #sweep(nextMs: number): void {
    const { launcher } = this.#context;
    const remaining = this.#remaining();
    if (remaining.length === 0 && this.#groupGone) {
      if (this.#openStreams.size === 0) {
        this.#finish([]);
        return;
      }
    } else {
      this.#cgroup?.kill();
      for (const pid of remaining) launcher.signal(pid, SIGKILL);
    }
    this.#sweepTimer = setTimeout(() => this.#sweep(Math.min(2 * nextMs, SWEEP_LAST_MS)), nextMs);
  }

  /** @returns what is known of the tree after its leader's end, outside of its group. */
  #remaining(): number[] {
    const { launcher } = this.#context;
    // Once the group is gone its number may be given to another: it is never signalled again.
    if (!this.#groupGone && this.#process !== undefined)
      this.#groupGone = !launcher.signal(-this.#process.pid, SIGKILL);
    return [...new Set([...(this.#cgroup?.remaining() ?? []), ...launcher.strays(this.token)])];
  }

  /** The kernel holds something that cannot be killed now; the task ends without it. */
  #surrender(): void {
    if (this.#over || this.#process === undefined) return;
    const { pid } = this.#process;
    const leader = this.#exit === undefined ? [pid, ...descendantsOf(pid)] : [];
    this.#finish([...new Set([...leader, ...this.#remaining(), ...findByToken(this.token)])]);
  }

  #data(stream: StreamName, chunk: Buffer): void {
    if (stream === 'report') {
      if (this.#report.length < REPORT_BYTES) this.#report += chunk.toString('latin1');
      if (this.#chainReached())
        this.#chainTimer ??= setTimeout(() => this.#chainReached() && this.#confirm(), CHAIN_SILENCE_MS);
      return;
    }
    if (this.#viaChain && stream === 'stderr' && this.#stderrHead.length < STDERR_HEAD_BYTES)
      this.#stderrHead += chunk.toString('utf8', 0, STDERR_HEAD_BYTES);
    this.#capture[stream].write(chunk);
  }

  #end(stream: StreamName): void {
    this.#openStreams.delete(stream);
    if (stream === 'report' && this.#chainReached()) this.#confirm();
    // The launcher ends streams before it tells the exit; only those that end later are waited for.
    if (this.#openStreams.size > 0 || this.#exit === undefined || this.#over) return;
    clearTimeout(this.#sweepTimer);
    this.#sweep(SWEEP_FIRST_MS);
  }

  #chainReached(): boolean {
    return readReport(this.#report, this.#stderrHead).ran;
  }

  #confirm(): void {
    if (this.#confirmed || this.#over || this.#running === undefined) return;
    this.#confirmed = true;
    this.#context.started(this, this.#running);
  }

  /** What tracks a task without limits is worth having, not worth failing for. */
  #track(pid: number): void {
    try {
      this.#cgroup?.enter(pid);
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
    if (!this.#viaChain || this.#firstStop !== undefined) return undefined;
    const report = readReport(this.#report, this.#stderrHead, status.exit_code);
    if (report.ran) return undefined;
    return { stage: report.stage, message: cannotLaunch(this.#program, report.message) };
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
    this.#context.ended(this, outcome);
  }
}

/** True when something has to be set before the program runs. */
function needsChain(spec: LaunchSpec): boolean {
  const { chain, cgroup } = spec;
  return (
    chain !== undefined ||
    (cgroup !== undefined && (cgroup.limits.length > 0 || cgroup.track.settings.length > 0))
  );
}

function hasNul(spec: LaunchSpec): boolean {
  const texts = [...spec.argv, spec.cwd, ...Object.keys(spec.env), ...Object.values(spec.env)];
  return texts.some((text) => text.includes('\0'));
}
