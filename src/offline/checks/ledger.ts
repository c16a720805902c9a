import type { LiveRecord } from '../../store/records.js';
import { ok, problem, type Finding } from './finding.js';

/** The part of the answer of `GET /api/v1/runtime/resources` that is compared. */
export interface LedgerView {
  active_reservations: { task_id: string }[];
}

/** Tasks whose reservation is held, according to the rows. */
function heldBy(live: readonly LiveRecord[]): Set<string> {
  const holds = (t: LiveRecord) => t.status === 'running' && t.reserved_at_ms !== undefined;
  return new Set(live.filter(holds).map((t) => t.task_id));
}

/**
 * Finds tasks about which the rows and the daemon's ledger disagree. A task may start or end meanwhile, so rows are read
 * before and after the ledger, and only what both readings say counts.
 * @param ledger undefined when no daemon runs: then only the rows are checked
 */
export function ledgerFindings(
  before: readonly LiveRecord[],
  ledger: LedgerView | undefined,
  after: readonly LiveRecord[],
): Finding[] {
  const [heldBefore, heldAfter] = [heldBy(before), heldBy(after)];
  const unreserved = after.filter((t) => t.status === 'running' && !heldAfter.has(t.task_id));
  const found = unreserved.map((t) => disagree(`task ${t.task_id} runs and holds no reservation`));
  if (ledger !== undefined) {
    const inLedger = new Set(ledger.active_reservations.map((r) => r.task_id));
    for (const id of heldBefore)
      if (heldAfter.has(id) && !inLedger.has(id)) found.push(disagree(`the ledger does not have task ${id}`));
    const waitingAfter = new Set(after.filter((t) => t.status === 'accepted').map((t) => t.task_id));
    const known = new Set(after.map((t) => t.task_id));
    for (const id of inLedger) {
      // The task is being started and its row is not committed yet, or its end is committed and the release comes next.
      const settling = waitingAfter.has(id) || (heldBefore.has(id) && !known.has(id));
      if (!heldBefore.has(id) && !heldAfter.has(id) && !settling)
        found.push(disagree(`the ledger holds a reservation for ${id}, which no row does`));
    }
  }
  if (found.length > 0) return found;
  const held = heldAfter.size;
  const count = `${held} ${held === 1 ? 'reservation is' : 'reservations are'} held`;
  return [ok('ledger', ledger === undefined ? count : `${count}, as the daemon has it`)];
}

function disagree(message: string): Finding {
  const advice = 'restart the daemon: it builds its ledger from the rows (running tasks go on)';
  return problem('ledger', message, advice);
}
