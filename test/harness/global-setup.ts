import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RUN_DIR_VARIABLE, TEST_PREFIX } from './run-dir.js';

const BOOTSTRAP = fileURLToPath(new URL('../../bin/bootstrap.mjs', import.meta.url));

/**
 * Before the first test: brings dist/ up to date, so that the tests run the real executable, and gives this run a
 * temporary directory of its own. What is left in it, or by it, fails the run (see reporter.ts).
 */
export default function setup(): () => void {
  const { status } = spawnSync(process.execPath, [BOOTSTRAP], { stdio: 'inherit' });
  if (status !== 0) throw new Error('dist/ could not be brought up to date');

  const runDir = mkdtempSync(join(realpathSync(tmpdir()), TEST_PREFIX));
  // Tests that run something as another user open their own directories to it, which lie in here.
  chmodSync(runDir, 0o711);
  process.env['TMPDIR'] = runDir;
  process.env[RUN_DIR_VARIABLE] = runDir;
  return () => {
    rmSync(runDir, { recursive: true, force: true });
  };
}
