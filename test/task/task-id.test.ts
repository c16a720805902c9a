import { expect, test } from 'vitest';
import { makeTaskId } from '../../src/task/task-id.js';

const VERSION_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('ids are UUIDs of version 7, differ, and are in the order of time', () => {
  const ids = Array.from({ length: 1000 }, (_, i) => makeTaskId(1_700_000_000_000 + i));
  for (const id of ids) expect(id).toMatch(VERSION_7);
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(Array.from({ length: 1000 }, () => makeTaskId(0))).size).toBe(1000);
  expect(makeTaskId(0)).toMatch(VERSION_7);
});
