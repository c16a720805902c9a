import type { LiveTasks, Waiting } from '../live-tasks.js';

/** More than there are tasks that wait. */
const BETWEEN = 2 ** 20;

/**
 * Gives the waiting tasks that could start only some time after their submit the place that they had before: behind all that
 * had been submitted until then.
 */
export function restorePlaces(live: LiveTasks): void {
  const waiting = [...live.all()].flatMap(({ phase }) => (phase.name === 'waiting' ? [phase] : []));
  const bySubmit = (a: Waiting, b: Waiting) => a.record.submit_seq - b.record.submit_seq;
  const late = waiting.filter(isLate).sort((a, b) => a.mayStartAt - b.mayStartAt || bySubmit(a, b));
  const inTime = waiting.filter((phase) => !isLate(phase)).sort(bySubmit);
  let passed = 0;
  let before = (inTime[0]?.record.submit_seq ?? 1) - 1;
  for (const [n, phase] of late.entries()) {
    for (let next = inTime[passed]; next !== undefined; next = inTime[passed]) {
      if (next.mayStartAt > phase.mayStartAt) break;
      before = next.record.submit_seq;
      passed++;
    }
    phase.place = before + (n + 1) / BETWEEN;
  }
}

function isLate({ record: { eligible_ms, created_at_ms, request } }: Waiting): boolean {
  const { start_at } = request.policy;
  return eligible_ms !== undefined || (start_at !== undefined && Date.parse(start_at) > created_at_ms);
}
