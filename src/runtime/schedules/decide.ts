import { createHash } from 'node:crypto';
import type { NewRun } from '../../store/schedule-table.js';
import { formatDuration } from '../../task/duration.js';
import type { ScheduleSpec } from '../../task/schedules.js';
import type { DueTimes } from './due-times.js';

/** How many due times one decision looks at, and how many may wait for a task to end. */
const MOST = 100;
/** How many missed due times are counted. */
const COUNTED = 50;

/** A schedule as it is when a due time of it has come. Times are Unix milliseconds. */
export interface Due {
  name: string;
  spec: ScheduleSpec;
  times: DueTimes;
  /** The first due time that nothing was decided of. */
  nextDueMs: number;
  /** One of its tasks that have not ended. */
  running: string | undefined;
  /** How many of its due times wait. */
  waiting: number;
}

/** What is written down of the due times that have come. */
export interface Decision {
  runs: NewRun[];
  /** Why none that waited before does any more. */
  supersedes: string | undefined;
  next_due_ms: number | undefined;
}

/** When a due time is submitted: by so much later as its name and time say, the same each time that is asked. */
export function firesAtMs(name: string, { jitter_ms }: ScheduleSpec, dueMs: number): number {
  if (jitter_ms === 0) return dueMs;
  const hash = createHash('sha256').update(`${name} ${dueMs}`).digest().readUInt32BE(0);
  return dueMs + Math.floor((hash / 2 ** 32) * (jitter_ms + 1));
}

/** Decides what becomes of the due times that have come until `nowMs`. Those that were missed come first. */
export function decide(due: Due, nowMs: number): Decision {
  const { name, spec, times, nextDueMs } = due;
  const { grace_ms, jitter_ms } = spec;
  const isLate = (at: number) => nowMs - firesAtMs(name, spec, at) > grace_ms;
  const recent = times.last(Math.max(nextDueMs, nowMs - grace_ms - jitter_ms), nowMs, MOST);
  const coming = recent.find((at) => firesAtMs(name, spec, at) > nowMs);
  const reached = recent.filter((at) => coming === undefined || at < coming);
  const firstInTime = reached.findIndex((at) => !isLate(at));
  const onTime = firstInTime < 0 ? [] : reached.slice(firstInTime);
  const missedUntil = (onTime[0] ?? coming ?? nowMs + 1) - 1;
  const caughtUp = howManyLate(spec, onTime.length > 0);
  const missed = times.last(nextDueMs, missedUntil, caughtUp + COUNTED + 1);
  const late = caughtUp === 0 ? [] : missed.slice(-caughtUp);
  const lost = missed.slice(0, missed.length - late.length);
  const isQueued = queuesLate(spec);
  const queued = isQueued ? late.map((due_ms): NewRun => ({ due_ms, outcome: 'waiting' })) : [];
  const runs = [...missedRun(lost, grace_ms), ...queued];
  return {
    ...overlapping(due, runs, isQueued ? onTime : [...late, ...onTime]),
    next_due_ms: coming ?? times.next(nowMs),
  };
}

/** True when all that were missed are submitted one after another. What takes the place of others need not come after them. */
function queuesLate({ catch_up, overlap }: ScheduleSpec): boolean {
  return catch_up === 'all' && overlap !== 'replace';
}

function howManyLate(spec: ScheduleSpec, isOneOnTime: boolean): number {
  if (queuesLate(spec)) return spec.catch_up_max;
  return spec.catch_up === 'none' || isOneOnTime ? 0 : 1;
}

function missedRun(lost: readonly number[], graceMs: number): NewRun[] {
  const due_ms = lost.at(-1);
  if (due_ms === undefined) return [];
  const why = `no daemon was there to submit it until ${formatDuration(graceMs)} after it`;
  const detail = lost.length > COUNTED ? `${why}; there were more than those that are counted` : why;
  return [{ due_ms, outcome: 'missed', count: Math.min(lost.length, COUNTED), detail }];
}

/** Adds due times that are on time, one after another, by what their schedule says of tasks that have not ended. */
function overlapping(
  { spec: { overlap }, running, waiting }: Due,
  before: readonly NewRun[],
  onTime: readonly number[],
): Omit<Decision, 'next_due_ms'> {
  let runs = [...before];
  let supersedes: string | undefined;
  for (const due_ms of onTime) {
    const ahead =
      (supersedes === undefined ? waiting : 0) + runs.filter((run) => run.outcome === 'waiting').length;
    const isBusy = running !== undefined || ahead > 0;
    const why = running === undefined ? 'an earlier due time waits' : `task ${running} has not ended`;
    const skipped = (detail: string): NewRun => ({ due_ms, outcome: 'skipped', detail });
    if (overlap === 'skip' && isBusy) runs.push(skipped(why));
    else if (overlap === 'queue' && ahead >= MOST) runs.push(skipped(`${MOST} due times wait already`));
    else {
      if (overlap === 'replace' && ahead > 0) {
        supersedes = 'a later due time has taken its place';
        const detail = supersedes;
        runs = runs.map((run) => (run.outcome === 'waiting' ? { ...run, outcome: 'skipped', detail } : run));
      }
      runs.push({ due_ms, outcome: 'waiting' });
    }
  }
  return { runs, supersedes };
}
