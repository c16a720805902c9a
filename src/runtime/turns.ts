import { setImmediate as nextTurn } from 'node:timers/promises';

/** For how long the event loop may stand still at a time, in milliseconds. */
const TURN_MS = 10;

/** Calls `each` with all items in order, in several turns of the event loop when that takes long. It must not throw. */
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
