import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { TaskView } from '../../src/task/view.js';
import { cgroupDirs, subdirectories } from '../harness/cgroups.js';
import {
  command,
  type Daemon,
  http,
  openFds,
  startDaemon,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

export const SLOTS = 4;
const BATCH = 200;

/** A program that cannot be run, and what has to be said of it. */
export interface Fault {
  request: object;
  message: RegExp;
}

/** Limits make a task go through the launch chain, whose failures are told on another way. */
export const LIMITED = { limits: { cpu_time_sec: 10, pids_max: 20 } };

/** Submits `count` tasks made of `faults` in turn, and checks the end of each. */
export async function expectFailures(daemon: Daemon, faults: readonly Fault[], count: number): Promise<void> {
  for (let from = 0; from < count; from += BATCH) {
    const some = Array.from(
      { length: Math.min(BATCH, count - from) },
      (_, i) => faults[(from + i) % faults.length]!,
    );
    const ids = await submitBatch(
      daemon,
      some.map((fault) => fault.request),
    );
    for (const [i, id] of ids.entries()) expectLaunchFailed(await waitForEnd(daemon, id), some[i]!.message);
  }
}

export async function submitBatch(daemon: Daemon, tasks: object[]): Promise<string[]> {
  const answer = await http(daemon.url).post<{ task_id: string; status?: string }[]>('/api/v1/tasks/batch', {
    tasks,
  });
  expect(answer.body.map((item) => item.status)).toEqual(tasks.map(() => 'accepted'));
  return answer.body.map((item) => item.task_id);
}

export function expectLaunchFailed(task: TaskView, message: RegExp): void {
  expect(task).toMatchObject({
    status: 'failed',
    cause: 'launch',
    duration_ms: 0,
    stdout: '',
    stdout_bytes: 0,
  });
  expect(task.error).toMatchObject({
    code: 'launch_failed',
    message: expect.stringMatching(message) as string,
  });
  expect(task).not.toHaveProperty('pid');
  expect(task).not.toHaveProperty('exit_code');
}

/** Everything that a launch takes and has to give back. */
function held(daemon: Daemon) {
  return {
    supervisor: openFds(daemon.supervisorPid()).size,
    children: readFileSync(`/proc/${daemon.supervisorPid()}/task/${daemon.supervisorPid()}/children`, 'utf8'),
    // Under the root the daemon has one directory for its data directory; in there each launch has its own.
    cgroups: cgroupDirs(daemon.cgroup).flatMap(subdirectories).flatMap(subdirectories),
  };
}

/** After warming up: the first task opens what stays open. */
export async function startedDaemon(
  ...flags: string[]
): Promise<{ daemon: Daemon; expectNothingHeld: () => Promise<void> }> {
  const daemon = await startDaemon({
    flags: ['--max-running-tasks', String(SLOTS), '--max-queued-tasks', '1000', ...flags],
  });
  await submitAndWait(daemon, command('/bin/true', [], LIMITED));
  const before = await waitFor(() => {
    const now = held(daemon);
    return now.children === '' && now.cgroups.length === 0 && now;
  });
  return {
    daemon,
    expectNothingHeld: async () => {
      const { body } = await http(daemon.url).get('/api/v1/runtime/resources');
      expect(body).toMatchObject({
        reserved: { task_slots: 0 },
        active_reservations: [],
        accepted_waiting_tasks: 0,
      });
      await waitFor(() => {
        expect(held(daemon)).toEqual(before);
        return true;
      });
      expect(await submitAndWait(daemon, command('/bin/echo', ['well']))).toMatchObject({ stdout: 'well\n' });
      expect(await submitAndWait(daemon, command('/bin/true', [], LIMITED))).toMatchObject({
        status: 'success',
      });
    },
  };
}
