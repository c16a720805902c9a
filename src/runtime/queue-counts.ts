import { claimOf, type LiveRecord } from '../store/records.js';
import { Activity, type Pace } from './activity.js';
import { CountByKey } from './count-by-key.js';

/** How many tasks that have not ended there are. */
interface LiveCount {
  accepted: number;
  running: number;
}

export const NONE_LIVE: Readonly<LiveCount> = { accepted: 0, running: 0 };

interface QueueCount extends LiveCount {
  lanes: Map<string, LiveCount>;
}

/** How many tasks wait and run in each queue and lane, and wait of each tenant, kept as they come and go, and how fast they do. */
export class QueueCounts {
  readonly #queues = new Map<string, QueueCount>();
  readonly #tenants = new CountByKey<string | undefined>();
  readonly #activity: Activity;

  /** @param steady milliseconds of a clock that is never set */
  constructor(steady: () => number) {
    this.#activity = new Activity(steady);
  }

  enter(record: LiveRecord): void {
    const { tenant, queue, lane } = claimOf(record);
    if (record.status === 'accepted') this.#tenants.add(tenant);
    let count = this.#queues.get(queue);
    if (count === undefined) this.#queues.set(queue, (count = { ...NONE_LIVE, lanes: new Map() }));
    count[record.status]++;
    if (lane === undefined) return;
    let ofLane = count.lanes.get(lane);
    if (ofLane === undefined) count.lanes.set(lane, (ofLane = { ...NONE_LIVE }));
    ofLane[record.status]++;
  }

  /** @param record as it was given to {@link enter} */
  leave(record: LiveRecord): void {
    const { tenant, queue, lane } = claimOf(record);
    if (record.status === 'accepted') this.#tenants.delete(tenant);
    const count = this.#queues.get(queue);
    if (count === undefined) return;
    count[record.status]--;
    const ofLane = lane === undefined ? undefined : count.lanes.get(lane);
    if (lane !== undefined && ofLane !== undefined) {
      ofLane[record.status]--;
      if (isEmpty(ofLane)) count.lanes.delete(lane);
    }
    if (isEmpty(count)) this.#queues.delete(queue);
  }

  /** To be called when a task begins to run. */
  started(record: LiveRecord): void {
    this.#activity.note(claimOf(record).queue, 'started');
  }

  /** To be called when a task has ended. */
  ended(record: LiveRecord): void {
    this.#activity.note(claimOf(record).queue, 'ended');
  }

  /** @param queue undefined: of all */
  lastMinute(queue: string | undefined): Pace {
    return this.#activity.lastMinute(queue);
  }

  /** Undefined when none of its tasks waits or runs. */
  of(queue: string): (Readonly<LiveCount> & { lanes: ReadonlyMap<string, Readonly<LiveCount>> }) | undefined {
    return this.#queues.get(queue);
  }

  /** How many tasks of a tenant wait. @param tenant undefined: those without one */
  waitingOf(tenant: string | undefined): number {
    return this.#tenants.of(tenant);
  }

  /** Queues of which a task waits or runs. */
  names(): IterableIterator<string> {
    return this.#queues.keys();
  }
}

function isEmpty({ accepted, running }: LiveCount): boolean {
  return accepted === 0 && running === 0;
}
