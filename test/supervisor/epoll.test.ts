import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Epoll } from '../../src/supervisor/spawn/epoll.js';
import { tempDir, waitFor } from '../harness/index.js';

test('a descriptor that the kernel does not watch is asked time and again', async () => {
  const path = join(tempDir(), 'file');
  writeFileSync(path, 'x');
  // epoll_ctl(2) refuses a regular file, as it refuses a pipe when there is no memory or no watch left.
  const fd = openSync(path, 'r');
  const epoll = new Epoll();
  onTestFinished(() => {
    epoll.close();
    closeSync(fd);
  });
  let asked = 0;
  epoll.watch(fd, () => asked++);
  await waitFor(() => asked >= 3);
  epoll.unwatch(fd);
  const before = asked;
  let again = 0;
  epoll.watch(fd, () => again++);
  await waitFor(() => again >= 3);
  expect(asked).toBe(before);
  epoll.unwatch(fd);
});
