import { setImmediate } from 'node:timers/promises';
import { ClockAlarm } from '../clock-alarm.js';
import type { Core } from '../core.js';
import type { LiveTask, Waiting } from '../live-tasks.js';
import type { TimedBy } from '../not-yet.js';
import type { Schedule } from '../schedule.js';

/** How many tasks whose time has come enter the queue in one turn of the event loop. */
const ADMITTED_AT_ONCE = 500;
/** More tasks than can wait: so many places there are between two numbers of events. */
const LATE_MAX = 2 ** 20;

/** Sets tasks aside that may not start yet, and lets them into the queue when they may. */
export class Admission {
  private readonly alarms: Readonly<Record<TimedBy, ClockAlarm>>;
  /** How many tasks got a place behind the same one. */
  private late = { seq: 0, count: 0 };

  /** @param queue takes those whose time has come: each, and then asks for room for all of them */
  constructor(
    private readonly core: Pick<Core, 'store' | 'live'> & { schedule: Schedule },
    private readonly queue: { enqueue: (task: LiveTask) => void; pump: () => void },
  ) {
    const alarm = (by: TimedBy) => new ClockAlarm(core.schedule.clocks[by], () => void this.admit(by));
    this.alarms = { now: alarm('now'), lasting: alarm('lasting') };
  }

  /** False for a task that may not start yet: it is set aside until it may. */
  mayStart(phase: Waiting): boolean {
    const { schedule, live } = this.core;
    const hindrance = schedule.setAside(phase.record);
    if (hindrance !== undefined) {
      phase.place = undefined;
      const { until } = hindrance;
      if (until !== undefined) this.alarms[until.clock].set(schedule.notYet.nextMs(until.clock));
      return false;
    }
    if (phase.place === undefined) live.mayStart(phase, this.nextPlace());
    return true;
  }

  private async admit(by: TimedBy): Promise<void> {
    const { schedule, live } = this.core;
    for (;;) {
      const due = schedule.notYet.takeDue(by, schedule.clocks[by](), ADMITTED_AT_ONCE);
      for (const id of due) {
        const task = live.get(id);
        if (task !== undefined) this.queue.enqueue(task);
      }
      if (due.length > 0) this.queue.pump();
      if (due.length < ADMITTED_AT_ONCE) break;
      await setImmediate();
    }
    this.alarms[by].set(schedule.notYet.nextMs(by));
  }

  /** The place of a task that may start only now: behind all that were submitted before, and before those that come. */
  private nextPlace(): number {
    const seq = this.core.store.events.last;
    this.late = seq === this.late.seq ? { seq, count: this.late.count + 1 } : { seq, count: 1 };
    return seq + this.late.count / LATE_MAX;
  }
}
