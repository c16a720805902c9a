import type { In, On, TaskProcess, TaskState } from './task-states.js';
import { TaskPause } from './task-pause.js';
import type { TaskTools } from './task-tools.js';

/** What is paused is looked at again after this, then after twice as long each time. Milliseconds. */
const LOOK_FIRST_MS = 2;
/** The longest time between two looks until nothing of it runs. Milliseconds. */
const LOOK_UNTIL_STILL_MS = 64;
/** The same from then on: somebody who lets it go on again and again costs no more than one look a second. */
const LOOK_LAST_MS = 1024;

/** Stops all that runs, and the wall time; what is being ended goes on. */
export function pause(task: TaskTools, state: In<'running'>): TaskState {
  const { process } = state;
  if (process.stopping.first !== undefined) return state;
  process.wallTime?.standStill();
  const { pid } = process.running;
  const { tree } = process;
  const pause = new TaskPause({
    launcher: task.context.launcher,
    leader: pid,
    tree,
    tracking: task.tracking,
  });
  const sinceMs = turn(task, process);
  return lookAfter(task, { is: 'paused', process, pause, sinceMs, isStill: false }, LOOK_FIRST_MS);
}

export function tellPaused(task: TaskTools, state: In<'paused'>): TaskState {
  if (state.isStill) task.context.paused(state.sinceMs);
  return state;
}

export function lookPaused(task: TaskTools, state: In<'paused'>, { thenMs }: On<'pauseLookDue'>): TaskState {
  return lookAfter(task, state, thenMs);
}

function lookAfter(task: TaskTools, state: In<'paused'>, nextMs: number): TaskState {
  const isStill = state.pause.look();
  if (isStill && !state.isStill) task.context.paused(state.sinceMs);
  const wasStill = isStill || state.isStill;
  const { hopeless } = state.pause;
  if (!wasStill && hopeless !== undefined) return goOnAndTell(task, state, hopeless);
  const isHeld = isStill && !state.pause.needsWatch;
  const thenMs = Math.min(2 * nextMs, wasStill ? LOOK_LAST_MS : LOOK_UNTIL_STILL_MS);
  const nextLook = isHeld
    ? undefined
    : setTimeout(() => task.raise({ type: 'pauseLookDue', thenMs }), nextMs);
  return { ...state, isStill: wasStill, nextLook };
}

export function resume(task: TaskTools, state: In<'paused'>): TaskState {
  return goOnAndTell(task, state);
}

/** What was not paused has gone on since its start. */
export function tellResumed(task: TaskTools, state: In<'running'>): TaskState {
  const { turnedAtMs, running } = state.process;
  task.context.resumed(turnedAtMs ?? running.started_at_ms);
  return state;
}

/** The signal is there before anything goes on, and its grace begins now. */
export function stopPaused(task: TaskTools, state: In<'paused'>, { stop }: On<'stop'>): TaskState {
  state.process.stopping.request(stop);
  turn(task, state.process);
  return goOn(state);
}

/** @param reason why it could not be paused */
function goOnAndTell(task: TaskTools, state: In<'paused'>, reason?: string): TaskState {
  const running = goOn(state);
  task.context.resumed(turn(task, state.process), reason);
  return running;
}

function goOn({ process, pause, nextLook }: In<'paused'>): In<'running'> {
  clearTimeout(nextLook);
  pause.end();
  process.wallTime?.goOn();
  return { is: 'running', process };
}

/** @returns now, or a moment after the last turn, where the clock was set back. */
function turn({ context }: TaskTools, process: TaskProcess): number {
  const last = process.turnedAtMs ?? process.running.started_at_ms;
  process.turnedAtMs = Math.max(context.clock.now(), last + 1);
  return process.turnedAtMs;
}
