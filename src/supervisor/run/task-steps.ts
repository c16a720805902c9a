import { constants } from 'node:os';
import { chainLaunch, type ChainLaunch } from '../../sandbox/chain/chain.js';
import { childState } from '../../sandbox/process/process-identity.js';
import { hasNul } from '../spawn/launch-check.js';
import { cannotLaunch } from '../spawn/launch-error.js';
import type { ExitStatus, LaunchedProcess, StreamName } from '../spawn/launcher.js';
import type { Outcome } from '../wire/protocol.js';
import { Deadline } from '../../task/deadline.js';
import { cpuLimitOf, outcomeOf } from './outcome.js';
import { DiskWatch } from './disk-watch.js';
import type { Space } from './disk-worker.js';
import type { In, LeaderEnd, On, TaskProcess, TaskState } from './task-states.js';
import { TaskStop } from './task-stop.js';
import type { TaskTools } from './task-tools.js';
import { TaskTree } from './task-tree.js';

const { SIGKILL, SIGTERM } = constants.signals;

/**
 * After KILL, and after the leader's end and its grace: whatever can be found is killed once more after the first time, and
 * what still lives after the second is named as a survivor.
 */
const LAST_KILL_MS = 1800;
const GIVE_UP_MS = 2000;
/** The tree is looked at again after this, then after twice as long each time, up to the second number. */
const LOOK_FIRST_MS = 2;
const LOOK_LAST_MS = 64;

type Alive = In<'launching' | 'running'>;
type Made = In<'launching' | 'running' | 'paused' | 'ending'>;

/** Makes the process, by and by. */
export function spawn(task: TaskTools, { stops }: In<'queued'>, { spec, notBefore }: On<'start'>): TaskState {
  const { launcher, clock, log } = task.context;
  task.output.open(task.launchId, log);
  if (hasNul(spec)) return failed(task, 'launch', cannotLaunch(task.program, 'contains a NUL byte'));
  let launch: ChainLaunch;
  try {
    launch = launchOf(task, spec);
  } catch (error) {
    return failed(task, 'sandbox', (error as Error).message);
  }
  const { argv, env, cwd } = launch;
  const [startedAtMs, spawnedAt] = [clock.now(), clock.monotonic()];
  launcher.spawn(
    { argv, env, cwd, report: task.chain !== undefined, outputOwner: spec.chain?.output_owner },
    {
      spawned: (process) => task.raise({ type: 'spawned', process }),
      data: (stream, chunk) => task.raise({ type: 'output', stream, chunk }),
      end: (stream) => task.raise({ type: 'streamEnded', stream }),
      exit: (status) => task.raise({ type: 'exited', status }),
      failed: (reason, fileAtFault) => {
        // A chain begins with another file than the program.
        const isOfChain = fileAtFault && argv[0] !== task.program;
        const [stage, why] = isOfChain
          ? (['sandbox', `${argv[0]}: ${reason}`] as const)
          : (['launch', reason] as const);
        task.raise({ type: 'failed', stage, message: cannotLaunch(task.program, why) });
      },
    },
  );
  return { is: 'spawning', stops, notBefore, startedAtMs, spawnedAt };
}

/** @throws Error for people when the cgroups that a chain enters cannot be made. */
function launchOf(task: TaskTools, spec: On<'start'>['spec']): ChainLaunch {
  if (task.chain === undefined) return spec;
  task.tracking.make();
  return chainLaunch(spec.chain ?? { wrappers: [] }, spec.cgroup, spec);
}

/** Keeps a stop until there is a process. */
export function stopLater<S extends In<'queued' | 'spawning'>>(
  _task: TaskTools,
  state: S,
  { stop }: On<'stop'>,
): S {
  return { ...state, stops: [...state.stops, stop] };
}

export function fail(task: TaskTools, _state: In<'spawning'>, { stage, message }: On<'failed'>): TaskState {
  return failed(task, stage, message);
}

/** The process is written down and told, then whatever was asked of it meanwhile is done. */
export function lead(task: TaskTools, state: In<'spawning'>, { process: leader }: On<'spawned'>): TaskState {
  const { context, spec, token, tracking } = task;
  const { pid } = leader;
  const child = childState(pid);
  if (task.chain === undefined && child?.hasEnded !== true) track(task, leader);
  const tree = new TaskTree({ launcher: context.launcher, leader, token, tracking });
  const streams: StreamName[] = ['stdout', 'stderr'];
  const process: TaskProcess = {
    running: {
      launch_id: task.launchId,
      token,
      pid,
      start_ticks: child?.startTicks ?? 0,
      started_at_ms: state.startedAtMs,
    },
    spawnedAt: state.spawnedAt,
    tree,
    stopping: new TaskStop(
      (signal) => signalProgram(task, tree, signal),
      () => task.raise({ type: 'graceOver' }),
    ),
    openStreams: new Set(task.chain === undefined ? streams : [...streams, 'report']),
  };
  context.spawned(process.running);
  if (task.chain === undefined) context.started(process.running);
  for (const stop of state.stops) process.stopping.request(stop);
  if (spec.wall_time_ms > 0) {
    const passedMs = context.clock.monotonic() - state.spawnedAt;
    const leftMs = Math.max(0, spec.wall_time_ms - passedMs);
    process.wallTime = new Deadline(leftMs, () => task.raise({ type: 'wallTimeOver' }));
  }
  if (spec.disk !== undefined) {
    const tooMuch = (space: Space) => task.raise({ type: 'diskUsedUp', space });
    process.diskWatch = new DiskWatch(context.diskMeter, spec.disk, tooMuch, context.log);
  }
  return { is: task.chain === undefined ? 'running' : 'launching', process };
}

function track({ context, token, launchId, tracking }: TaskTools, leader: LaunchedProcess): void {
  const strays = () => context.launcher.strays(token);
  tracking.enterSoon(leader, strays, (error) =>
    context.log('cannot track a task', { launch_id: launchId, error: String(error) }),
  );
}

/** A leader that only waits for the program would end of a signal before the program can. */
function signalProgram({ spec, chain }: TaskTools, tree: TaskTree, signal: number): void {
  if (spec.chain?.forks === true && chain?.reached === true) tree.signalBelow(signal);
  else tree.signalGroup(signal);
}

/** Tells that the program runs, unless that was told. */
export function reach<S extends Made>(task: TaskTools, state: S): TaskState {
  if (state.is === 'running' || state.is === 'paused' || (state.is === 'ending' && state.isReached))
    return state;
  task.context.started(state.process.running);
  return state.is === 'ending' ? { ...state, isReached: true } : { is: 'running', process: state.process };
}

export function take<S extends Made>(task: TaskTools, state: S, { stream, chunk }: On<'output'>): S {
  if (stream === 'report') task.chain?.reported(chunk);
  else {
    if (stream === 'stderr') task.chain?.said(chunk);
    task.output[stream].write(chunk);
  }
  return state;
}

export function endStream(task: TaskTools, state: Made, { stream }: On<'streamEnded'>): TaskState {
  const { openStreams } = state.process;
  openStreams.delete(stream);
  const next = stream === 'report' && task.chain?.reached === true ? (reach(task, state) as Made) : state;
  // The launcher ends streams before it tells the exit; only those that end later are waited for.
  if (next.is !== 'ending' || openStreams.size > 0) return next;
  clearTimeout(next.nextLook);
  return next.isTreeGone ? finish(task, next, []) : lookAfter(task, next, LOOK_FIRST_MS);
}

/** The first stop counts; of a later one, only a shorter grace does. */
export function stop<S extends Alive>(_task: TaskTools, state: S, { stop: request }: On<'stop'>): S {
  state.process.stopping.request(request);
  return state;
}

export function timeOut<S extends Alive>({ context, spec }: TaskTools, state: S): S {
  const { process } = state;
  process.timeoutAtMs = context.clock.now();
  context.timedOut(process.timeoutAtMs);
  process.stopping.request({ reason: 'timeout', signal: SIGTERM, graceMs: spec.grace_ms });
  return state;
}

/** At once: what it still writes in a grace would be too much as well. While it is paused it writes nothing. */
export function useUpDisk<S extends Alive>(_task: TaskTools, state: S, { space }: On<'diskUsedUp'>): S {
  const { process } = state;
  process.space ??= space;
  process.stopping.request({ reason: 'disk', signal: SIGKILL, graceMs: 0 });
  return state;
}

/** KILL to everything of a task whose leader is still there. */
export function killAll<S extends Alive>(task: TaskTools, state: S): S {
  const { process } = state;
  process.tree.kill();
  process.giveUp ??= new Deadline(LAST_KILL_MS, () => task.raise({ type: 'lastKillDue' }));
  return state;
}

export function endLeader(task: TaskTools, state: Alive | In<'paused'>, { status }: On<'exited'>): TaskState {
  const { process } = state;
  const end = endNow(task, process, task.chain?.endOfProgram(status) ?? status);
  process.wallTime?.cancel();
  process.diskWatch?.cancel();
  process.stopping.cancel();
  if (state.is === 'paused') clearTimeout(state.nextLook);
  task.tracking.leaderEnded();
  process.giveUp?.cancel();
  const giveUpMs = task.spec.grace_ms + LAST_KILL_MS;
  process.giveUp = new Deadline(giveUpMs, () => task.raise({ type: 'lastKillDue' }));
  const isReached = state.is !== 'launching';
  return lookAfter(task, { is: 'ending', process, end, isReached, isTreeGone: false }, LOOK_FIRST_MS);
}

export function look(task: TaskTools, state: In<'ending'>, { thenMs }: On<'lookDue'>): TaskState {
  return lookAfter(task, state, thenMs);
}

/** Kills what remains of the tree, again and again until nothing does and nobody holds a stream. */
function lookAfter(task: TaskTools, state: In<'ending'>, nextMs: number): TaskState {
  const { openStreams, tree } = state.process;
  // At the first look a stream may still be held by a process that is just becoming another task.
  const killHolders = openStreams.size > 0 && nextMs > LOOK_FIRST_MS;
  const isGone = tree.killRest(killHolders);
  if (isGone && openStreams.size === 0) return finish(task, state, []);
  const thenMs = Math.min(2 * nextMs, LOOK_LAST_MS);
  const nextLook = setTimeout(() => task.raise({ type: 'lookDue', thenMs }), nextMs);
  return { ...state, isTreeGone: isGone && !killHolders, nextLook };
}

/** Also what only a look at every process of this machine finds, which is too dear for each end. */
export function killFound<S extends Made>(task: TaskTools, state: S): S {
  const { process } = state;
  process.tree.killFound(state.is === 'ending');
  process.giveUp = new Deadline(GIVE_UP_MS - LAST_KILL_MS, () => {
    // Ends that came while this process was too busy for them are told first.
    setImmediate(() => task.raise({ type: 'givenUp' }));
  });
  return state;
}

/** The kernel holds something that cannot be killed now; the task ends without it. */
export function surrender(task: TaskTools, state: Made): TaskState {
  return finish(task, state, state.process.tree.survivors(state.is === 'ending'));
}

function finish(task: TaskTools, state: Made, survivors: number[]): TaskState {
  const { process } = state;
  const end = state.is === 'ending' ? state.end : endNow(task, process, { signal: SIGKILL, usage: {} });
  // A chain that was killed on its way has not failed by itself.
  const failure = process.stopping.first === undefined ? task.chain?.failure(end.status) : undefined;
  for (const timer of [process.wallTime, process.diskWatch, process.stopping, process.giveUp])
    timer?.cancel();
  if (state.is === 'ending') clearTimeout(state.nextLook);
  // What is still open is held by survivors.
  process.tree.closeStreams();
  return close(task, { ...end, failure, survivors }, process);
}

function endNow({ context }: TaskTools, { spawnedAt }: TaskProcess, status: ExitStatus): LeaderEnd {
  return { status, atMs: context.clock.now(), durationMs: context.clock.monotonic() - spawnedAt };
}

function failed(task: TaskTools, stage: 'launch' | 'sandbox', message: string): TaskState {
  const end = { status: { usage: {} }, atMs: task.context.clock.now(), durationMs: 0 };
  return close(task, { ...end, failure: { stage, message }, survivors: [] });
}

function close(
  task: TaskTools,
  end: LeaderEnd & { failure: Outcome['failure']; survivors: number[] },
  process?: TaskProcess,
): TaskState {
  task.chain?.close();
  task.tracking.close();
  const outcome = outcomeOf({
    launchId: task.launchId,
    token: task.token,
    running: process?.running,
    firstStop: process?.stopping.first,
    space: process?.space,
    timeoutAtMs: process?.timeoutAtMs,
    cpuLimitSec: cpuLimitOf(task.spec.chain),
    cgroup: task.tracking.cgroup?.usage,
    ...task.output.close(),
    ...end,
  });
  task.context.ended(outcome);
  return { is: 'over' };
}
