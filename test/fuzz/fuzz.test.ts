import { expect, test } from 'vitest';
import { fuzz } from './fuzz.js';

/** Set by `npm run fuzz`; without it a slice that takes seconds. */
const requests = Number(process.env['EXECGO_FUZZ_REQUESTS'] ?? 2_000);
const seed = Number(process.env['EXECGO_FUZZ_SEED'] ?? Math.floor(Math.random() * 1_000_000));

/** A guard against hanging: a busy machine may take 20 ms a request. */
const TIMEOUT_MS = 120_000 + 20 * requests;

test(
  `${requests} requests are answered and leave nothing behind (seed ${seed})`,
  // What a second try does not repeat was there all the same.
  { timeout: TIMEOUT_MS, retry: 0 },
  async () => {
    console.log(`fuzz: seed ${seed}, ${requests} requests`);
    const result = await fuzz({ seed, requests });
    console.log(`fuzz: ${JSON.stringify(result, null, 2)}`);
    expect(result.problems).toEqual([]);
    expect(result.requests).toBe(requests);
  },
);
