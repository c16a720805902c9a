import type { Bench } from './bench.js';

/** All benches, in the order in which they run: the cheap ones first, so that a mistake shows early. */
export const BENCHES: readonly Bench[] = [];
