import { expect, test } from 'vitest';
import { Closers } from '../../src/daemon/closers.js';

test('everything is closed in the opposite order, whatever fails on the way', async () => {
  const closed: string[] = [];
  const closers = new Closers();
  closers.push(() => void closed.push('lock'));
  closers.push(async () => {
    await Promise.resolve();
    closed.push('store');
  });
  closers.push(() => Promise.reject(new Error('no supervisors')));
  closers.push(() => {
    throw new Error('no server');
  });
  closers.push(() => void closed.push('maintenance'));
  await expect(closers.close()).rejects.toThrow(
    'could not close everything: Error: no server; Error: no supervisors',
  );
  expect(closed).toEqual(['maintenance', 'store', 'lock']);
  await closers.close();
  expect(closed).toHaveLength(3);
});
