import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { readProcessUsage } from '../../src/sandbox/process-usage.js';

test('a process is told by what it has used and holds', () => {
  const before = readProcessUsage(process.pid)!;
  const rss = process.memoryUsage.rss();
  expect(Math.abs(before.memory_bytes - rss)).toBeLessThan(0.2 * rss);
  const used = () => process.cpuUsage().user + process.cpuUsage().system;
  for (const start = used(); used() - start < 200_000;);
  const after = readProcessUsage(process.pid)!;
  expect(after.started_s).toBe(before.started_s);
  expect(after.cpu_s - before.cpu_s).toBeGreaterThanOrEqual(0.15);
  expect(after.read_s).toBeGreaterThan(after.started_s);
});

test('a process that is gone has used nothing', () => {
  const { pid } = spawnSync('true');
  expect(readProcessUsage(pid)).toBeUndefined();
});
