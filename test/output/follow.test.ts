import { appendFileSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { GrowthWatch } from '../../src/runtime/output/follow.js';
import type { OutputSource } from '../../src/runtime/output/source.js';
import { tempDir } from '../harness/temp-dir.js';
import { logOf, pattern, sourceIn, tailOf, writeStream, writeTail } from './files.js';

function watch(source: OutputSource): GrowthWatch {
  const made = new GrowthWatch(source);
  onTestFinished(() => made.close());
  return made;
}

/** But for the directory of all tasks, which stays open for the next. */
function openFiles(dir: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(dir) && target !== `${dir}/tasks` ? [target] : [];
    } catch {
      return [];
    }
  });
}

test('bytes that are there already are seen at once', async () => {
  const dir = tempDir();
  await watch(writeStream(dir, Buffer.from('abc'), 10, false)).growth(2);
  expect(openFiles(dir)).toEqual([]);
});

test('bytes that are appended are seen, again and again', async () => {
  const source = writeStream(tempDir(), Buffer.from('abc'), 10, false);
  const watched = watch(source);
  for (let size = 3; size < 10; size++) {
    const grown = watched.growth(size);
    await setImmediate();
    appendFileSync(logOf(source), 'd');
    await grown;
  }
});

test('a log that is made later, and its directory too, are seen', async () => {
  const source = sourceIn(tempDir(), 10, false);
  const grown = watch(source).growth(0);
  mkdirSync(dirname(logOf(source)), { recursive: true });
  writeFileSync(logOf(source), 'x');
  await grown;
});

test('bytes past the cap are seen in the ring file', async () => {
  const source = writeStream(tempDir(), pattern(10), 10, false);
  const grown = watch(source).growth(10);
  await setImmediate();
  writeTail(tailOf(source), pattern(11));
  await grown;
});

test('who waits is woken, and never waits again', async () => {
  const watched = watch(writeStream(tempDir(), Buffer.from('abc'), 10, false));
  const grown = watched.growth(3);
  watched.wake();
  await grown;
  await watched.growth(3);
});

test('closing lets who waits go on, and leaves nothing open', async () => {
  const dir = tempDir();
  const watched = new GrowthWatch(writeStream(dir, Buffer.from('abc'), 10, false));
  const grown = watched.growth(3);
  watched.close();
  await grown;
  expect(openFiles(dir)).toEqual([]);
});
