import { expect, test } from 'vitest';
import { soak } from './soak.js';

/** Set by `npm run soak`. */
const seconds = Number(process.env['EXECGO_SOAK_SECONDS'] ?? 60);
const seed = Number(process.env['EXECGO_SOAK_SEED'] ?? Math.floor(Math.random() * 1_000_000));

/** For what is left to end, and for a machine that is busy; milliseconds. */
const REST_MS = 180_000;

test(
  `nothing is lost in ${seconds} s of random deaths (seed ${seed})`,
  // A loss that a second try does not repeat is a loss all the same.
  { timeout: seconds * 1000 + REST_MS, retry: 0 },
  async () => {
    console.log(`soak: seed ${seed}, ${seconds} s`);
    const result = await soak({ seed, seconds });
    console.log(`soak: ${JSON.stringify(result, null, 2)}`);
    expect(result.violations).toEqual([]);
    expect(result.acknowledged).toBeGreaterThan(seconds);
  },
);
