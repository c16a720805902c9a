import { defineConfig } from 'vitest/config';

/** Longer than anything a test waits for: it ends what hangs, and measures nothing. Milliseconds. */
const HANG_GUARD_MS = 60_000;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/harness/global-setup.ts'],
    reporters: ['./test/harness/reporter.ts'],
    pool: 'forks',
    isolate: true,
    maxWorkers: 2,
    allowOnly: false,
    // Real processes on a shared machine: one stumble does not fail the run, but the reporter names it.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    testTimeout: HANG_GUARD_MS,
    hookTimeout: HANG_GUARD_MS,
    teardownTimeout: HANG_GUARD_MS,
  },
});
