import type { Resources } from '../../task/resources.js';
import type { RuntimeResources } from '../../task/runtime-view.js';
import type { Core } from '../core.js';
import { timestamp } from './task-view.js';

/** The body of `GET /api/v1/runtime/resources`: what this machine has, what is reserved, and for whom. */
export function resourcesView(
  core: Pick<Core, 'ledger' | 'live' | 'waiting' | 'unmatched'>,
  runtimeId: string,
  capacity: Resources,
): RuntimeResources {
  return {
    runtime_id: runtimeId,
    capacity,
    reserved: core.ledger.reserved(),
    available: core.ledger.available(),
    active_reservations: core.ledger.entries().map((entry) => ({
      task_id: entry.task_id,
      status: core.live.get(entry.task_id)?.record.status ?? 'running',
      reservation: entry.reservation,
      reserved_at: timestamp(entry.reserved_at_ms),
    })),
    accepted_waiting_tasks: core.waiting.size + core.unmatched.size,
    tenants: core.ledger.tenantUse(),
  };
}
