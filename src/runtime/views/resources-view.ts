import type { Resources } from '../../task/resources.js';
import type { RuntimeResources } from '../../task/runtime-view.js';
import type { ResourceFigures } from './metrics.js';
import type { Core } from '../core.js';
import type { Schedule } from '../schedule.js';
import { timestamp } from './timestamp.js';

/** The body of `GET /api/v1/runtime/resources`: what this machine has, what is reserved, and for whom. */
export function resourcesView(
  { live, schedule }: Pick<Core, 'live'> & { schedule: Schedule },
  runtimeId: string,
  capacity: Resources,
): RuntimeResources {
  const { ledger } = schedule;
  return {
    runtime_id: runtimeId,
    capacity,
    reserved: ledger.reserved(),
    available: ledger.available(),
    active_reservations: ledger.entries().map((entry) => ({
      task_id: entry.task_id,
      tenant: entry.tenant,
      queue: entry.queue,
      lane: entry.lane,
      concurrency_key: entry.concurrency?.key,
      status: live.get(entry.task_id)?.record.status ?? 'running',
      reservation: entry.reservation,
      items: Object.keys(entry.items).length === 0 ? undefined : entry.items,
      reserved_at: timestamp(entry.reserved_at_ms),
    })),
    accepted_waiting_tasks: schedule.waiting,
    tenants: ledger.tenantUse(),
  };
}

/** What metrics tell of the resources that the operator has named. */
export function resourceFigures({ schedule: { ledger } }: { schedule: Schedule }): ResourceFigures[] {
  const { resources: reserved = {} } = ledger.reserved();
  return Object.entries(ledger.capacity.resources ?? {}).map(([resource, capacity]) => ({
    resource,
    capacity,
    reserved: reserved[resource] ?? 0,
  }));
}
