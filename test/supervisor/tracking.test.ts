import { spawn } from 'node:child_process';
import { rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { cgroupSpec } from '../../src/sandbox/cgroup/cgroup-layout.js';
import { TaskTracking } from '../../src/supervisor/run/task-tracking.js';
import { waitFor } from '../harness/index.js';
import { probeHost } from '../sandbox/hosts.js';

test('tracking is complete once nothing is left outside, and not before', async () => {
  const { layout } = await probeHost();
  const spec = cgroupSpec(layout, 'tracking-1', {});
  if (spec === undefined) throw new Error('this test needs writable cgroups');
  const child = spawn('/bin/sleep', ['1000'], { stdio: 'ignore' });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await waitFor(() => {
      rmdirSync(join(spec.track.path));
      return true;
    });
  });
  // Each look finds another one, as of a task that forks faster than its processes are moved. No process has such a pid.
  let next = 4_194_305;
  let looks = 0;
  let forks = true;
  const strays = () => {
    looks++;
    return forks ? [next++] : [];
  };
  const failures: unknown[] = [];
  const tracking = new TaskTracking(spec);
  const leader = {
    pid: child.pid!,
    keepPid: () => () => undefined,
    holders: () => [],
    closeStreams: () => undefined,
  };
  tracking.enterSoon(leader, strays, (error) => failures.push(error));
  await waitFor(() => looks >= 10);
  expect([tracking.isComplete, failures]).toEqual([false, []]);
  forks = false;
  await waitFor(() => tracking.isComplete);
  tracking.leaderEnded();
});
