import { TaskOutput } from '../capture/task-output.js';
import { needsChain } from '../spawn/launch-check.js';
import type { LaunchSpec, Running } from '../wire/protocol.js';
import { ChainWatch } from './chain-watch.js';
import type { TaskEvent, TaskState } from './task-states.js';
import { nextState } from './task-table.js';
import type { TaskRunContext, TaskTools } from './task-tools.js';
import { TaskTracking } from './task-tracking.js';
import type { PossibleOwner } from './unowned.js';

/** One attempt from its message until its whole process tree is gone and its output is complete. */
export class TaskRun {
  readonly #task: TaskTools;
  #state: TaskState = { is: 'queued', stops: [] };
  /** What is still to be dealt with, in order. */
  readonly #events: TaskEvent[] = [];
  #isBusy = false;

  constructor(launchId: number, token: string, spec: LaunchSpec, context: TaskRunContext) {
    const { argv, env, ...kept } = spec;
    const raise = (event: TaskEvent) => this.#raise(event);
    this.#task = {
      launchId,
      token,
      spec: kept,
      program: argv[0],
      context,
      output: new TaskOutput(spec),
      tracking: new TaskTracking(spec.cgroup),
      chain:
        needsChain(spec) || context.launcher.alwaysChain
          ? new ChainWatch(argv[0], env.PATH, spec.cwd, spec.chain?.forks === true, () =>
              raise({ type: 'reached' }),
            )
          : undefined,
      raise,
    };
  }

  get launchId(): number {
    return this.#task.launchId;
  }

  get token(): string {
    return this.#task.token;
  }

  /** The process; undefined until the program is known to run. */
  get running(): Running | undefined {
    const state = this.#state;
    const isReached =
      state.is === 'running' || state.is === 'paused' || (state.is === 'ending' && state.isReached);
    return isReached ? this.now : undefined;
  }

  /** The process, and whether it is paused; undefined before the spawn. */
  get now(): Running | undefined {
    const state = this.#state;
    return state.is === 'paused' ? { ...state.process.running, paused_at_ms: state.sinceMs } : this.spawned;
  }

  /** True from the moment at which its process may exist. */
  get hasBegun(): boolean {
    return this.#state.is !== 'queued';
  }

  /** What decides whether an orphan can belong to this attempt; undefined before the spawn. */
  get asOwner(): PossibleOwner | undefined {
    const state = this.#state;
    if (state.is === 'queued') return undefined;
    const notBefore = state.is === 'spawning' ? state.notBefore : this.spawned?.start_ticks;
    return notBefore === undefined
      ? undefined
      : { startTicks: notBefore, tracked: this.#task.tracking.isComplete };
  }

  /** The process as it was made; undefined before the spawn. */
  get spawned(): Running | undefined {
    return 'process' in this.#state ? this.#state.process.running : undefined;
  }

  /**
   * Starts the process. `spawned` or `ended` may be called before this returns, or later.
   * @param spec the one that the run was made with.
   * @param notBefore a moment that is past, in clock ticks since boot.
   */
  start(spec: LaunchSpec, notBefore: number): void {
    this.#raise({ type: 'start', spec, notBefore });
  }

  /**
   * Ends the attempt: `signal` now or right after the spawn, SIGKILL after the grace. Only the first stop counts; a later
   * one can only shorten the grace. Does nothing when the attempt has ended. The wall time still applies: the signal may end
   * nothing, and the grace may be longer than the time that is left.
   * @param graceMs milliseconds; the grace of the launch spec by default.
   */
  stop(signal: number, graceMs = this.#task.spec.grace_ms): void {
    this.#raise({ type: 'stop', stop: { reason: 'kill', signal, graceMs } });
  }

  /** Stops everything of it that runs, and its wall time; does nothing before the program runs and once it is being ended. */
  pause(): void {
    this.#raise({ type: 'pause' });
  }

  resume(): void {
    this.#raise({ type: 'resume' });
  }

  /** One event after another: what a step causes comes after it. */
  #raise(event: TaskEvent): void {
    this.#events.push(event);
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      try {
        this.#state = nextState(this.#task, this.#state, next);
      } catch (error) {
        // Whoever said it can do nothing about it, and what is to come counts all the same.
        const { stack } = error as Error;
        this.#task.context.log('an event was not dealt with', { launch_id: this.launchId, error: stack });
      }
    }
    this.#isBusy = false;
  }
}
