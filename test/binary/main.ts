/**
 * `npm run test:binary`: the contract and recovery suites, and those of this folder, against the one executable in a root file
 * system that has no Node. Arguments replace the names of the suites. Needs root.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BINARY } from './built.js';
import { makeRoot } from './root.js';

const SUITES = ['test/contract', 'test/faults/recovery-', 'test/gc/wal', 'test/binary'];

const dir = mkdtempSync(join(realpathSync(tmpdir()), 'execgo-root-'));
try {
  const names = process.argv.slice(2);
  const { status } = spawnSync('npx', ['vitest', 'run', ...(names.length > 0 ? names : SUITES)], {
    stdio: 'inherit',
    env: { ...process.env, EXECGO_TEST_EXECUTABLE: makeRoot(dir, BINARY) },
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
