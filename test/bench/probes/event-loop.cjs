/**
 * Loaded into a Node process with --require: watches its event loop. On SIGUSR2 writes what it saw since the last time to
 * the file that BENCH_EVENT_LOOP names, whole at once, and begins anew.
 */
const process = require('node:process');
const { renameSync, writeFileSync } = require('node:fs');
const { monitorEventLoopDelay, PerformanceObserver } = require('node:perf_hooks');
const { isMainThread } = require('node:worker_threads');

/** Milliseconds between two looks. A turn of the loop that takes longer is seen, as that much or up to this much longer. */
const RESOLUTION_MS = 5;

const file = process.env.BENCH_EVENT_LOOP;
if (isMainThread && file !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let collectionMs = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collectionMs = Math.max(collectionMs, duration);
  }).observe({ entryTypes: ['gc'] });
  process.on('SIGUSR2', () => {
    const seen = {
      max_ms: delay.max / 1e6,
      p99_ms: delay.percentile(99) / 1e6,
      longest_collection_ms: collectionMs,
    };
    delay.reset();
    collectionMs = 0;
    writeFileSync(`${file}.new`, JSON.stringify(seen));
    renameSync(`${file}.new`, file);
  });
}
