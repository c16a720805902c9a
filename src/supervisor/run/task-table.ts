import * as pauseSteps from './pause-steps.js';
import * as steps from './task-steps.js';
import type { TaskTools } from './task-tools.js';
import type { In, On, TaskEvent, TaskState } from './task-states.js';

/** What is done in a state about an event. @returns the state that follows. */
type Step<S extends TaskState['is'], E extends TaskEvent['type']> = (
  task: TaskTools,
  state: In<S>,
  event: On<E>,
) => TaskState;
type Cell<S extends TaskState['is'], E extends TaskEvent['type']> =
  Step<S, E> | typeof ignored | typeof never;
type Row<E extends TaskEvent['type']> = readonly [
  queued: Cell<'queued', E>,
  spawning: Cell<'spawning', E>,
  launching: Cell<'launching', E>,
  running: Cell<'running', E>,
  paused: Cell<'paused', E>,
  ending: Cell<'ending', E>,
  over: Cell<'over', E>,
];

/** It comes, and changes nothing. */
const ignored = 'ignored';
/** It cannot come: whoever could say it is not there yet, or was told to say no more. */
const never = 'never';

const COLUMNS: Readonly<Record<TaskState['is'], number>> = {
  queued: 0,
  spawning: 1,
  launching: 2,
  running: 3,
  paused: 4,
  ending: 5,
  over: 6,
};

const { spawn, stopLater, lead, fail, reach, take, endStream, endLeader, stop, timeOut, useUpDisk, killAll } =
  steps;
const { look, killFound, surrender } = steps;
const { pause, tellPaused, lookPaused, resume, tellResumed, stopPaused } = pauseSteps;

/** The life of an attempt: for each event, what it does in each state. */
// prettier-ignore
const TABLE: { [E in TaskEvent['type']]: Row<E> } = {
  //             queued       spawning     launching    running      paused       ending       over
  start:        [spawn,       never,       never,       never,       never,       never,       never],
  spawned:      [never,       lead,        never,       never,       never,       never,       never],
  failed:       [never,       fail,        never,       never,       never,       never,       never],
  reached:      [never,       never,       reach,       ignored,     ignored,     reach,       never],
  output:       [never,       never,       take,        take,        take,        take,        ignored],
  streamEnded:  [never,       never,       endStream,   endStream,   endStream,   endStream,   ignored],
  exited:       [never,       never,       endLeader,   endLeader,   endLeader,   never,       ignored],
  stop:         [stopLater,   stopLater,   stop,        stop,        stopPaused,  ignored,     ignored],
  pause:        [ignored,     ignored,     ignored,     pause,       tellPaused,  ignored,     ignored],
  resume:       [ignored,     ignored,     ignored,     tellResumed, resume,      ignored,     ignored],
  pauseLookDue: [never,       never,       never,       never,       lookPaused,  never,       never],
  wallTimeOver: [never,       never,       timeOut,     timeOut,     never,       never,       never],
  diskUsedUp:   [never,       never,       useUpDisk,   useUpDisk,   ignored,     ignored,     ignored],
  graceOver:    [never,       never,       killAll,     killAll,     never,       never,       never],
  lookDue:      [never,       never,       never,       never,       never,       look,        never],
  lastKillDue:  [never,       never,       killFound,   killFound,   never,       killFound,   never],
  givenUp:      [never,       never,       surrender,   surrender,   never,       surrender,   ignored],
};

/**
 * @returns the state that follows `state`, with what `event` does in it done.
 * @throws Error when the event cannot come in that state: nothing is done.
 */
export function nextState(task: TaskTools, state: TaskState, event: TaskEvent): TaskState {
  const cell = TABLE[event.type][COLUMNS[state.is]] as Cell<TaskState['is'], TaskEvent['type']>;
  if (cell === never) throw new Error(`an attempt that is ${state.is} cannot have the event ${event.type}`);
  if (cell === ignored) return state;
  return (cell as (task: TaskTools, state: TaskState, event: TaskEvent) => TaskState)(task, state, event);
}
