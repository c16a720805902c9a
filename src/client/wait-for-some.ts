import type { WaitAnswer } from '../task/view.js';
import { ExecgoTimeoutError } from './errors.js';
import { until } from './retry.js';

/** How long is waited. */
interface WaitBounds {
  timeoutMs: number | undefined;
  /** How long the daemon may be out of reach. */
  reconnectMs: number;
  signal: AbortSignal | undefined;
}

/**
 * Asks until what is waited for is so; see `ExecgoClient.waitForSome`.
 * @throws ExecgoTimeoutError when `timeoutMs` run out first
 */
export function waitForSome(
  ask: (waitMs: number) => Promise<WaitAnswer>,
  ids: readonly string[],
  { timeoutMs, reconnectMs, signal }: WaitBounds,
): Promise<WaitAnswer> {
  return until(
    reconnectMs,
    ask,
    ({ met }) => met,
    { timeoutMs, signal },
    (ms) => new ExecgoTimeoutError(ids.join(', '), ms),
  );
}
