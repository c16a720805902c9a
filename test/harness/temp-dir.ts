import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { TEST_PREFIX } from './run-dir.js';

/**
 * A new, empty directory, removed with all its contents after the test that asks for it. Its path is real (no symbolic
 * link in it) and short, so that a Unix socket fits in.
 */
export function tempDir(): string {
  const parent = realpathSync(tmpdir());
  const prefix = basename(parent).startsWith(TEST_PREFIX) ? 't-' : TEST_PREFIX;
  const dir = mkdtempSync(join(parent, prefix));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
  return dir;
}
