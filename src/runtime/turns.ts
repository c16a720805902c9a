import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long the event loop may be blocked at a time, in milliseconds. */
const TURN_MS = 10;

/** Calls `each`, which must not throw, with all items in order; in several turns of the event loop if that takes long. */
export async function inTurns<T, R>(items: readonly T[], each: (item: T) => R): Promise<R[]> {
  const results: R[] = [];
  let until = performance.now() + TURN_MS;
  for (const item of items) {
    results.push(each(item));
    if (performance.now() < until) continue;
    await nextTurn();
    until = performance.now() + TURN_MS;
  }
  return results;
}
