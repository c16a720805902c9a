import { expect, test } from 'vitest';
import { startTicks } from '../../src/sandbox/process/process-identity.js';
import type { Launcher } from '../../src/supervisor/spawn/launcher.js';
import { Orphan } from '../../src/supervisor/spawn/orphan.js';
import { UnownedKiller } from '../../src/supervisor/run/unowned.js';
import type { PossibleOwner } from '../../src/supervisor/run/unowned.js';
import { waitFor } from '../harness/wait.js';

/** A launcher whose orphans are `looks`, one list for each look, and the pids that it was told to kill. */
function launcherWith(looks: Orphan[][]): { launcher: Launcher; killed: number[] } {
  const killed: number[] = [];
  const orphans = () => looks.shift() ?? [];
  const signal = (pid: number) => killed.push(pid) > 0;
  return { launcher: { orphans, signal } as unknown as Launcher, killed };
}

const SELF = process.pid;
const start = startTicks(SELF)!;

test.each<[string, PossibleOwner[], boolean]>([
  ['nobody runs', [], true],
  ['all started later', [{ startTicks: start + 1, tracked: false }], true],
  ['one is older', [{ startTicks: start - 1, tracked: false }], false],
  ['the older one has a cgroup', [{ startTicks: start - 1, tracked: true }], true],
  [
    'one of the older has none',
    [
      { startTicks: start - 1, tracked: true },
      { startTicks: start, tracked: false },
    ],
    false,
  ],
])('an orphan outside of every cgroup when %s', (_when, owners, isKilled) => {
  const { launcher, killed } = launcherWith([[new Orphan(SELF)]]);
  new UnownedKiller(
    launcher,
    () => owners,
    () => undefined,
  ).look();
  expect(killed.includes(SELF)).toBe(isKilled);
});

test('it looks again until nothing is found, and says then that it is done', async () => {
  const none = 4_194_305;
  const pending = {};
  const unsettled = new Orphan(none + 1, [pending]);
  const { launcher, killed } = launcherWith([[new Orphan(none)], [unsettled], [new Orphan(none + 2)]]);
  let done = 0;
  const killer = new UnownedKiller(
    launcher,
    () => [],
    () => done++,
  );
  expect(killer.isBusy).toBe(false);
  killer.look();
  expect(killer.isBusy).toBe(true);
  await waitFor(() => done > 0, { what: 'the last look' });
  expect([killed, killer.isBusy, done]).toEqual([[none, none + 2], false, 1]);
});
