import type { StoredRun, StoredSchedule } from '../../store/schedule-table.js';
import { messageOf } from '../../files/errno.js';
import { StoredSpec, type ScheduleSpec } from '../../task/schedules.js';
import { dueTimesOf, type DueTimes } from './due-times.js';
import { firesAtMs } from './decide.js';

/** A schedule that is in force. */
export class ScheduleEntry {
  stored: StoredSchedule;
  spec: ScheduleSpec;
  times: DueTimes;
  /** When there is something to do for it, in Unix milliseconds; undefined: not by time. */
  firesAtMs: number | undefined;
  /** Why what is stored of it does not hold; undefined where it does. */
  problem: string | undefined;
  /** Due times that wait for a task to end, in order. */
  waiting: StoredRun[] = [];
  /** Its tasks that have not ended. */
  readonly running = new Set<string>();
  /** Settles when what is being done for it is done. */
  work: Promise<void> | undefined;
  /** There is more to do. */
  again = false;

  constructor(stored: StoredSchedule) {
    this.stored = stored;
    ({ spec: this.spec, times: this.times, problem: this.problem } = readSpec(stored));
    this.firesAtMs = this.#firesAt();
  }

  /** Takes over what was committed. */
  update(stored: StoredSchedule): void {
    this.stored = stored;
    ({ spec: this.spec, times: this.times, problem: this.problem } = readSpec(stored));
    this.firesAtMs = this.#firesAt();
  }

  /** Takes over that it has come to another due time. */
  wentOn(next_due_ms: number | undefined): void {
    this.stored = { ...this.stored, next_due_ms };
    this.firesAtMs = this.#firesAt();
  }

  get name(): string {
    return this.stored.name;
  }

  #firesAt(): number | undefined {
    const { paused, next_due_ms, name } = this.stored;
    if (paused || this.problem !== undefined || next_due_ms === undefined) return undefined;
    return firesAtMs(name, this.spec, next_due_ms);
  }
}

const NEVER: DueTimes = { next: () => undefined, last: () => [] };

/** What somebody else has changed in the database may make no sense: such a schedule does nothing. */
function readSpec({ spec, anchor_ms }: StoredSchedule): {
  spec: ScheduleSpec;
  times: DueTimes;
  problem: string | undefined;
} {
  const parsed = StoredSpec.safeParse(spec);
  if (!parsed.success)
    return { spec: StoredSpec.parse({}), times: NEVER, problem: 'what is stored of it cannot be read' };
  try {
    return { spec: parsed.data, times: dueTimesOf(parsed.data, anchor_ms), problem: undefined };
  } catch (error) {
    return { spec: parsed.data, times: NEVER, problem: messageOf(error) };
  }
}
