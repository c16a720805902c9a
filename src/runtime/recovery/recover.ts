import { attemptOf, type AdoptedAttempt, type Executor, type ProcessFacts } from '../../executor/executor.js';
import { claimOf, type LiveRecord, type RunningTask } from '../../store/records.js';
import { cancelledWaiting, LOST } from '../lifecycle/classify.js';
import type { Core } from '../core.js';
import type { Conflicts } from '../lifecycle/conflicts.js';
import type { Dependants } from '../lifecycle/dependants.js';
import type { Groups } from '../lifecycle/groups.js';
import type { LiveTask, Stop } from '../live-tasks.js';
import { restorePlaces } from './places.js';
import { killLeftFamilies } from '../lifecycle/kill-family.js';
import { planWaiting, type WaitingCore } from './plan-waiting.js';

type RecoveringCore = WaitingCore & {
  executor: Executor;
  dependants: Dependants;
  conflicts: Conflicts;
  groups: Groups;
};

/** What the daemon found in the database when it started. */
interface Recovered {
  waiting: number;
  running: number;
}

/** Takes over what the daemon before has left: nothing is accepted before that is done. */
export async function recover(core: RecoveringCore): Promise<Recovered> {
  const found = loadLiveTasks(core);
  await planWaiting(core);
  const adopted = await adoptAttempts(core);
  await endHopeless(core);
  tellUnmatched(core);
  await core.executor.start(adopted);
  core.dependants.resume();
  core.conflicts.start();
  core.groups.start();
  killLeftFamilies(core);
  core.dispatcher.pump();
  return found;
}

/**
 * Takes the live tasks of the database into memory: running ones into the ledger, then waiting ones into the queue, so that none
 * takes the turn in a session that another has.
 */
function loadLiveTasks(core: RecoveringCore): Recovered {
  const waiting: LiveTask[] = [];
  let running = 0;
  for (const record of core.store.tasks.live()) {
    const task = core.live.add(record, false, stopOf(core, record));
    if (record.status === 'accepted') waiting.push(task);
    else {
      running++;
      core.schedule.restore(record);
    }
  }
  core.dependants.load();
  restorePlaces(core.live);
  // One that is between two attempts has had its turn in its session, and keeps it.
  const isBetween = ({ record }: LiveTask) => record.request.in_session === true && record.past_attempts > 0;
  for (const task of waiting.filter(isBetween)) core.dispatcher.enqueue(task);
  for (const task of waiting) if (!isBetween(task)) core.dispatcher.enqueue(task);
  return { waiting: waiting.length, running };
}

/** Why it is to end, as the row says. Of a kill and a timeout that are both recorded, the one whose event came first counts. */
function stopOf(core: Pick<Core, 'store'>, record: LiveRecord): Stop | undefined {
  const kill = record.kill_requested_at_ms === undefined ? undefined : {};
  if (record.status !== 'running' || !record.timed_out) return kill && { first: 'kill', kill };
  if (kill === undefined) return { first: 'timeout', kill };
  const events = core.store.events.ofTask(record.task_id, 0, undefined);
  // An earlier attempt may have timed out, too.
  const first = events
    .slice(events.findLastIndex((e) => e.event_type === 'retry_scheduled') + 1)
    .find((e) => e.event_type === 'kill_requested' || e.event_type === 'timeout_triggered');
  return { first: first?.event_type === 'timeout_triggered' ? 'timeout' : 'kill', kill };
}

/** The attempts for the executor to take over. Running tasks of the older runtime have none: they end as lost. */
async function adoptAttempts(core: RecoveringCore): Promise<AdoptedAttempt[]> {
  const running = [...core.live.all()].flatMap((task) =>
    task.phase.name === 'waiting' ? [] : [{ task, record: task.phase.record }],
  );
  const lost = running.filter(({ record }) => attemptOf(record) === undefined);
  await Promise.all(lost.map(({ task }) => core.ends.withVerdict(task, LOST)));
  return running.flatMap(({ task: { kill }, record }) => {
    const attempt = attemptOf(record);
    if (attempt === undefined) return [];
    const paused = record.paused_at_ms !== undefined;
    return [{ ...attempt, started: startOf(record), kill, paused }];
  });
}

function startOf({ process }: RunningTask): ProcessFacts | undefined {
  return process && { pid: process.pid ?? 0, start_ticks: process.start_ticks ?? 0 };
}

/** Ends waiting tasks whose kill was asked for, and those that can never fit a capacity that was reduced. */
async function endHopeless(core: RecoveringCore): Promise<void> {
  const waiting = [...core.live.all()].filter(({ record }) => record.status === 'accepted');
  const ends = waiting.map(async (task) => {
    const { record } = task;
    if (task.kill !== undefined) {
      await core.ends.withVerdict(task, cancelledWaiting(record));
      return;
    }
    const shortage = core.schedule.ledger.canEverFit(claimOf(record));
    if (shortage === undefined) return;
    core.schedule.withdraw(record.task_id);
    const message = `insufficient resources: ${shortage.resource} ${shortage.requested} is more than the ${shortage.scope} of ${shortage.capacity} since the last start`;
    await core.ends.withVerdict(task, {
      status: 'failed',
      cause: 'launch',
      error: { code: 'insufficient_resources', message },
    });
  });
  await Promise.all(ends);
}

function tellUnmatched({ schedule: { unmatched }, log }: RecoveringCore): void {
  if (unmatched.size > 0)
    log.warn({ tasks: unmatched.size }, 'some tasks wait for a machine with another name, profile or tags');
}
