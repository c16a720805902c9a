import type { Delay } from '../../ledger/scheduler.js';
import type { Lack } from '../../ledger/ledger.js';
import type { SessionWait } from '../../ledger/session-lines.js';
import { claimOf, type TaskRecord, type WaitingTask } from '../../store/records.js';
import { amountTexts } from '../../task/amounts.js';
import { formatDuration } from '../../task/duration.js';
import { quoted, unmetDemand } from '../../task/demands.js';
import type { Waiting } from '../../task/view.js';
import type { Core } from '../core.js';
import type { Hindrance } from '../not-yet.js';
import type { Schedule } from '../schedule.js';
import { timestamp } from './timestamp.js';

/** What tells why a task waits. */
export type WaitingCore = Pick<Core, 'settings' | 'live' | 'now'> & {
  schedule: Schedule;
  /** Without a place nothing is launched. */
  executor: { readonly place: unknown };
};

const NO_PLACE = 'there is room for it, and nothing that launches it: a supervisor is being started';

/**
 * Why an accepted task does not start; undefined for any other, and for one that is about to start or to end. Costs the same
 * however many tasks wait.
 */
export function waitingOf(core: WaitingCore, record: TaskRecord): Waiting | undefined {
  const { settings, schedule, executor, live } = core;
  if (record.status !== 'accepted') return undefined;
  const { task_id } = record;
  const phase = live.get(task_id)?.phase;
  const hindrance = schedule.notYet.reasonOf(task_id);
  if (hindrance !== undefined && phase?.name === 'waiting') return notYet(core, phase.record, hindrance);
  const since = timestamp(mayStartSinceMs(core, record));
  const unmet = unmetDemand(record.request, settings.machine);
  if (unmet !== undefined) return { reason: 'demands', detail: unmet.detail, since };
  const turn = record.request.in_session === true ? schedule.sessionWaitOf(task_id) : undefined;
  if (turn !== undefined) return { reason: 'session_busy', detail: beforeIt(turn), since };
  const delay = schedule.delayOf(task_id);
  if (delay === undefined) return undefined;
  if (delay.reason === 'capacity' && delay.lack === undefined && executor.place === undefined)
    return { reason: 'no_runner', detail: NO_PLACE, since };
  return { reason: delay.reason, detail: inWords(record, delay), lack: delay.lack, since };
}

/** How many of the tasks that one waits for are shown, and are named in words. */
const AFTER_SHOWN = 20;
const AFTER_NAMED = 3;

function afterOthers({ schedule, live }: WaitingCore, { task_id }: TaskRecord, since: string): Waiting {
  const after_count = schedule.dependencies.countOf(task_id);
  const after = schedule.dependencies
    .openOf(task_id, AFTER_SHOWN)
    .map((each) => ({ ...each, status: live.get(each.task_id)?.record.status }));
  const named = after.slice(0, AFTER_NAMED).map((each) => `the ${each.when} of ${quoted(each.task_id)}`);
  const more = after_count - named.length;
  const words = [...named, ...(more > 0 ? [`${more} more`] : [])];
  const last = words.pop() ?? '';
  const all = words.length === 0 ? last : `${words.join(', ')} and ${last}`;
  return { reason: 'dependency', detail: `starts after ${all}`, after, after_count, since };
}

/** As {@link waitingOf}, with the position: for one task. */
export function waitingWithPosition(core: WaitingCore, record: TaskRecord): Waiting | undefined {
  const waiting = waitingOf(core, record);
  const ahead = core.schedule.aheadOf(record.task_id);
  return waiting === undefined || ahead === undefined ? waiting : { ...waiting, position: ahead + 1 };
}

/** Since when it may start, by the clock as it is now: Unix time. */
function mayStartSinceMs({ live, now }: WaitingCore, record: WaitingTask): number {
  const { task_id, created_at_ms, eligible_ms, request } = record;
  const phase = live.get(task_id)?.phase;
  const isLate = eligible_ms !== undefined || request.policy.start_at !== undefined;
  if (!isLate || phase?.name !== 'waiting') return created_at_ms;
  return Math.max(created_at_ms, Math.round(now() - live.sinceMs(phase.mayStartAt)));
}

/** Between two attempts it waits since the last one has ended. */
function notYet(core: WaitingCore, record: WaitingTask, { reason }: Hindrance): Waiting {
  const since = timestamp(record.failed_at_ms ?? record.created_at_ms);
  if (reason === 'dependency') return afterOthers(core, record, since);
  const { schedule, now } = core;
  const { request } = record;
  const released = { ...request, policy: { ...request.policy, hold: false } };
  const timed = schedule.hindranceOf({ ...record, request: released });
  const nowMs = now();
  const untilMs = timed?.until && nowMs + (timed.until.atMs - schedule.clocks[timed.until.clock]());
  const until = untilMs === undefined ? undefined : timestamp(untilMs);
  const before =
    untilMs === undefined
      ? ''
      : `before ${timestamp(untilMs)}, which is in ${formatDuration(untilMs - nowMs)}`;
  const details = {
    held: `is held until it is released${until === undefined ? '' : `, and does not start ${before}`}`,
    start_at: `does not start ${before}`,
    retry_backoff: betweenAttempts(record),
  };
  return { reason, detail: details[reason], until, since };
}

function betweenAttempts({ past_attempts, request }: WaitingTask): string {
  const { max_attempts = past_attempts + 1 } = request.policy.retry ?? {};
  return `attempt ${past_attempts} of ${max_attempts} has failed, and the next is not due yet`;
}

/** How many of the tasks that have their turn are named. */
const TURNS_NAMED = 3;

function beforeIt({ session, limit, turns, ahead }: SessionWait): string {
  const once = limit === 1 ? 'one task at a time' : `${limit} tasks at a time`;
  const named = turns.slice(0, TURNS_NAMED).map(quoted).join(', ');
  const more = turns.length > TURNS_NAMED ? `, and ${turns.length - TURNS_NAMED} more` : '';
  const has = turns.length === 1 ? 'has its turn' : 'have their turn';
  const line =
    ahead === 0 ? 'and it is next' : `and ${ahead} more ${ahead === 1 ? 'comes' : 'come'} before it`;
  return `session ${quoted(session)} runs ${once}: ${named}${more} ${has}, ${line}`;
}

function inWords(record: TaskRecord, { reason, lack }: Delay): string {
  const { tenant = '', queue, lane = '', concurrency } = claimOf(record);
  if (reason === 'queue_paused') return `queue ${quoted(queue)} is paused`;
  if (lack === undefined) return 'there is room for it, and others have their turn before it';
  if (lack.of === 'queue') return `queue ${quoted(queue)} ${asManyAsItMay(lack)}`;
  if (lack.of === 'concurrency')
    return `as many tasks with concurrency key ${quoted(concurrency?.key ?? '')} run as it allows: ${lack.limit}`;
  if (lack.of === 'lane') return `lane ${quoted(lane)} of queue ${quoted(queue)} ${asManyAsItMay(lack)}`;
  const { requested, left } = amountTexts(lack.resource, lack);
  const whose = lack.of === 'tenant' ? ` that tenant ${quoted(tenant)} may have` : '';
  return `needs ${requested}; ${left}${whose} are free`;
}

function asManyAsItMay({ limit }: Lack): string {
  if (limit === 0) return 'may run no task';
  return `runs as many tasks as it may: ${limit}`;
}
