import { appendFileSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { waitForGrowth } from '../../src/runtime/output/follow.js';
import { tempDir } from '../harness/temp-dir.js';
import { pattern, writeStream, writeTail } from './files.js';

const never = () => new AbortController().signal;

function openFiles(dir: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(dir) ? [target] : [];
    } catch {
      return [];
    }
  });
}

test('bytes that are there already are seen at once', async () => {
  const dir = tempDir();
  await waitForGrowth(writeStream(dir, Buffer.from('abc'), 10, false), 2, never());
  expect(openFiles(dir)).toEqual([]);
});

test('bytes that are appended are seen', async () => {
  const source = writeStream(tempDir(), Buffer.from('abc'), 10, false);
  const grown = waitForGrowth(source, 3, never());
  await setImmediate();
  appendFileSync(source.path, 'd');
  await grown;
});

test('a log that is made later, and its directory too, are seen', async () => {
  const dir = join(tempDir(), 'task');
  const source = {
    path: join(dir, 'stdout.log'),
    tailPath: join(dir, 'stdout.tail'),
    maxBytes: 10,
    final: false,
  };
  const grown = waitForGrowth(source, 0, never());
  mkdirSync(dir);
  writeFileSync(source.path, 'x');
  await grown;
});

test('bytes past the cap are seen in the ring file', async () => {
  const source = writeStream(tempDir(), pattern(10), 10, false);
  const grown = waitForGrowth(source, 10, never());
  await setImmediate();
  writeTail(source.tailPath, pattern(11));
  await grown;
});

test('an abort ends the wait and leaves nothing open', async () => {
  const dir = tempDir();
  const source = writeStream(dir, Buffer.from('abc'), 10, false);
  const controller = new AbortController();
  const grown = waitForGrowth(source, 3, controller.signal);
  controller.abort(new Error('enough'));
  await expect(grown).rejects.toThrow('enough');
  await expect(waitForGrowth(source, 3, controller.signal)).rejects.toThrow('enough');
  expect(openFiles(dir)).toEqual([]);
});
