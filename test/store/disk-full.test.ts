import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { tempDir } from '../harness/temp-dir.js';
import { insert, openedStore, rawDatabase } from './support.js';

/** A file system of its own that can be filled up. */
function tinyDisk(): string {
  const dir = tempDir();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', dir]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', dir]);
  });
  return dir;
}

/** Takes all room that is left, to the last byte. */
function fillUp(path: string): void {
  const fd = fs.openSync(path, 'a');
  try {
    for (let size = 65_536; size >= 1; size = Math.floor(size / 2))
      try {
        for (;;) fs.writeSync(fd, Buffer.alloc(size));
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
      }
  } finally {
    fs.closeSync(fd);
  }
}

test('a full disk refuses all of a transaction, and heals without reopening', async () => {
  const disk = tinyDisk();
  const store = openedStore(disk);
  await insert(store, 'before');
  const ballast = join(disk, 'ballast');
  fillUp(ballast);
  const big = { metadata: { blob: 'x'.repeat(300_000) } };
  const refused = await Promise.allSettled([
    insert(store, 'a', big),
    insert(store, 'b', big),
    insert(store, 'c', big),
  ]);
  for (const result of refused)
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'insufficient_storage' } });
  expect(store.tasks.get('before')).toBeDefined();
  expect(store.tasks.get('a')).toBeUndefined();
  expect([store.events.last, store.counters.read().entered.accepted]).toEqual([3, 1]);

  fs.rmSync(ballast);
  await Promise.all([insert(store, 'a'), insert(store, 'b')]);
  store.probe();
  expect(store.tasks.live().map((t) => t.task_id)).toEqual(['before', 'a', 'b']);
  expect(store.events.last).toBe(9);
  expect(rawDatabase(disk).pragma('integrity_check', { simple: true })).toBe('ok');
});
