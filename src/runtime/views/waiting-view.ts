import type { Delay } from '../../ledger/scheduler.js';
import type { Lack } from '../../ledger/ledger.js';
import { claimOf, type TaskRecord } from '../../store/records.js';
import { amountTexts } from '../../task/amounts.js';
import { quoted, unmetDemand } from '../../task/demands.js';
import type { Waiting } from '../../task/view.js';
import type { Core } from '../core.js';
import type { Schedule } from '../schedule.js';
import { timestamp } from './task-view.js';

/** What tells why a task waits. */
export type WaitingCore = Pick<Core, 'settings'> & {
  schedule: Schedule;
  /** Without a place nothing is launched. */
  executor: { readonly place: unknown };
};

const NO_PLACE = 'there is room for it, and nothing that launches it: a supervisor is being started';

/**
 * Why an accepted task does not start; undefined for any other, and for one that is about to start or to end. Costs the same
 * however many tasks wait.
 */
export function waitingOf(
  { settings, schedule, executor }: WaitingCore,
  record: TaskRecord,
): Waiting | undefined {
  if (record.status !== 'accepted') return undefined;
  const since = timestamp(record.created_at_ms);
  const unmet = unmetDemand(record.request, settings.machine);
  if (unmet !== undefined) return { reason: 'demands', detail: unmet.detail, since };
  const delay = schedule.delayOf(record.task_id);
  if (delay === undefined) return undefined;
  if (delay.reason === 'capacity' && delay.lack === undefined && executor.place === undefined)
    return { reason: 'no_runner', detail: NO_PLACE, since };
  return { reason: delay.reason, detail: inWords(record, delay), lack: delay.lack, since };
}

/** As {@link waitingOf}, with the position: for one task. */
export function waitingWithPosition(core: WaitingCore, record: TaskRecord): Waiting | undefined {
  const waiting = waitingOf(core, record);
  const ahead = core.schedule.aheadOf(record.task_id);
  return waiting === undefined || ahead === undefined ? waiting : { ...waiting, position: ahead + 1 };
}

function inWords(record: TaskRecord, { reason, lack }: Delay): string {
  const { tenant = '', queue, lane = '' } = claimOf(record);
  if (reason === 'queue_paused') return `queue ${quoted(queue)} is paused`;
  if (lack === undefined) return 'there is room for it, and others have their turn before it';
  if (lack.of === 'queue') return `queue ${quoted(queue)} ${asManyAsItMay(lack)}`;
  if (lack.of === 'lane') return `lane ${quoted(lane)} of queue ${quoted(queue)} ${asManyAsItMay(lack)}`;
  const { requested, left } = amountTexts(lack.resource, lack);
  const whose = lack.of === 'tenant' ? ` that tenant ${quoted(tenant)} may have` : '';
  return `needs ${requested}; ${left}${whose} are free`;
}

function asManyAsItMay({ limit }: Lack): string {
  if (limit === 0) return 'may run no task';
  return `runs as many tasks as it may: ${limit}`;
}
