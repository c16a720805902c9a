import { LAST_LOOKED_AT } from '../../store/tasks/last-ended.js';
import { claimOf } from '../../store/records.js';
import { ExecgoError } from '../../task/errors.js';
import { SNAPSHOT_SHOWN, type Snapshot } from '../../task/snapshot.js';
import { NO_ENDS } from '../../store/queue-ends.js';
import { NONE_LIVE } from '../queue-counts.js';
import type { QueueCore } from './queue-view.js';
import { taskSummary } from './task-view.js';
import { timestamp } from './timestamp.js';
import { waitingOf, type WaitingCore } from './waiting-view.js';

/** What is asked for a snapshot. */
type SnapshotCore = QueueCore & WaitingCore;

/**
 * All that matters at this moment, in one turn of the event loop, so that it is consistent.
 * @param queue only of this one
 * @throws ExecgoError `not_found` for a queue that has neither a rule nor tasks
 */
export function snapshotView(core: SnapshotCore, queue: string | undefined): Snapshot {
  const { store, live, schedule, now } = core;
  const rule = queue === undefined ? undefined : core.rules.of(queue);
  const ends = queue === undefined ? undefined : store.queueEnds.ofQueue(queue);
  const known = queue === undefined || rule !== undefined || ends !== undefined || live.counts.of(queue);
  if (known === undefined) throw new ExecgoError('not_found', `queue not found: ${queue}`, { queue });
  const pace = live.counts.lastMinute(queue);
  const { success, failed, cancelled } =
    queue === undefined ? store.counters.read().entered : (ends ?? NO_ENDS);
  const { records, isCut } = store.lastEnded.of(queue, SNAPSHOT_SHOWN);
  return {
    generated_at: timestamp(now()),
    version: store.versions.last,
    last_seq: store.events.last,
    queue,
    paused: rule?.rule.paused === true ? true : undefined,
    counts: countsOf(core, queue),
    ended: { success, failed, cancelled },
    slots_in_use: queue === undefined ? schedule.ledger.entries().length : schedule.ledger.slotsOf(queue),
    slots: schedule.ledger.capacity.task_slots,
    oldest_waiting_ms: schedule.oldestWaitingMs(queue),
    started_per_minute: pace.started,
    ended_per_minute: pace.ended,
    running: summaries(core, runningOf(core, queue)),
    next: summaries(
      core,
      schedule.nextOf(queue, SNAPSHOT_SHOWN).map(({ task_id }) => task_id),
    ),
    last: records
      .filter(({ task_id }) => live.get(task_id) === undefined)
      .map((r) => taskSummary(r, undefined)),
    last_among: isCut ? LAST_LOOKED_AT : undefined,
  };
}

function countsOf({ live }: SnapshotCore, queue: string | undefined): Snapshot['counts'] {
  const sum = { accepted: 0, running: 0 };
  for (const name of queue === undefined ? live.counts.names() : [queue]) {
    const { accepted, running } = live.counts.of(name) ?? NONE_LIVE;
    sum.accepted += accepted;
    sum.running += running;
  }
  return sum;
}

/** Ids of tasks that run, those first that were submitted last. */
function runningOf({ live, schedule }: SnapshotCore, queue: string | undefined): string[] {
  const running = schedule.ledger
    .entries()
    .flatMap(({ task_id }) => live.get(task_id)?.record ?? [])
    .filter((record) => record.status === 'running')
    .filter((record) => queue === undefined || claimOf(record).queue === queue);
  running.sort((a, b) => b.submit_seq - a.submit_seq);
  return running.slice(0, SNAPSHOT_SHOWN).map(({ task_id }) => task_id);
}

function summaries(core: SnapshotCore, ids: readonly string[]) {
  const records = ids.flatMap((id) => core.live.get(id)?.record ?? []);
  return records.map((record) => taskSummary(record, waitingOf(core, record)));
}
