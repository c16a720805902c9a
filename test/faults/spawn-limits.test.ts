import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { cgroupName, command, openFds, submitAndWait } from '../harness/index.js';
import { expectFailures, LIMITED, startedDaemon } from './failing-launches.js';

/** The limit of open files below which `room` numbers are free. */
function limitWithRoom(pid: number, room: number): number {
  const open = openFds(pid);
  let free = 0;
  for (let limit = 0; ; limit++) if (!open.has(limit) && free++ === room) return limit;
}

for (const launcher of ['libc', 'execa'])
  test(`no descriptors left, ${launcher}`, async () => {
    const { daemon, expectNothingHeld } = await startedDaemon('--launcher', launcher);
    const pid = daemon.supervisorPid();
    const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))!;
    const set = (value: number | string) =>
      execFileSync('prlimit', ['--pid', String(pid), `--nofile=${value}:`]);
    const plain = { request: command('/bin/true'), message: /too many open files/ };
    // Room for none, for making the logs one after the other, and for some of the pipes.
    for (const room of [0, 1, 2, 3]) {
      set(limitWithRoom(pid, room));
      await expectFailures(daemon, [plain], 40);
      set(limit!);
    }
    set(limitWithRoom(pid, 0));
    const limited = await submitAndWait(daemon, command('/bin/true', [], LIMITED));
    expect(limited).toMatchObject({
      status: 'failed',
      error: { message: expect.stringMatching(/EMFILE/) as string },
    });
    set(limit!);
    await expectNothingHeld();
  });

for (const launcher of ['libc', 'execa'])
  test(`no processes left, ${launcher}`, async () => {
    const { daemon, expectNothingHeld } = await startedDaemon('--launcher', launcher);
    const pid = String(daemon.supervisorPid());
    const root = '/sys/fs/cgroup/pids';
    const own = join(root, /^\d+:pids:(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))![1]!);
    const tight = join(root, cgroupName());
    mkdirSync(tight);
    onTestFinished(() => rmdirSync(tight));
    writeFileSync(join(tight, 'cgroup.procs'), pid);
    try {
      writeFileSync(join(tight, 'pids.max'), readFileSync(join(tight, 'pids.current')));
      const message = /resource temporarily unavailable \(process limit reached\)/;
      const requests = [command('/bin/true'), command('/bin/true', [], LIMITED)];
      await expectFailures(
        daemon,
        requests.map((request) => ({ request, message })),
        100,
      );
    } finally {
      writeFileSync(join(own, 'cgroup.procs'), pid);
    }
    await expectNothingHeld();
  });
