import type { Bench } from './bench.js';
import { binary } from './benches/binary.js';
import { cli } from './benches/cli.js';
import { collection } from './benches/collection.js';
import { flood } from './benches/flood.js';
import { history } from './benches/history.js';
import { latency } from './benches/latency.js';
import { loadLatency } from './benches/load-latency.js';
import { memory } from './benches/memory.js';
import { stall } from './benches/stall.js';
import { throughput } from './benches/throughput.js';
import { waiting } from './benches/waiting.js';
import { scale } from './scale.js';

/** All benches, in the order in which they run, if they are asked for: what deletes much comes last, because it slows what comes after it. */
export const BENCHES: readonly Bench[] = [
  cli,
  binary,
  latency,
  throughput,
  loadLatency,
  flood,
  memory,
  waiting,
  history,
  scale,
  collection,
  stall,
];
