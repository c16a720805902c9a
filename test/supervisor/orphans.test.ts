import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { Orphans, type UnfinishedSpawn } from '../../src/supervisor/spawn/orphans.js';
import { waitFor, waitGone } from '../harness/wait.js';

let orphans: Orphans;
/** Of earlier tests, not waited for yet. */
let before: number[];
beforeEach(() => {
  orphans = new Orphans();
  before = orphans.all().map(({ pid }) => pid);
});
afterEach(() => orphans.close());

function child(command = 'exec sleep 1000', options: SpawnOptions = {}): ChildProcess & { pid: number } {
  const made = spawn('/bin/sh', ['-c', command], { stdio: 'ignore', ...options });
  onTestFinished(async () => {
    made.kill('SIGKILL');
    await waitGone(made.pid!);
  });
  return made as ChildProcess & { pid: number };
}

const fresh = (pids: number[]) => pids.filter((pid) => !before.includes(pid));
const pids = (of = orphans) => {
  of.changed();
  return fresh(of.all().map(({ pid }) => pid));
};
const settled = () => fresh(orphans.settled());

/** A thread that makes a child. @returns the thread and the child's pid */
async function threadWithChild(): Promise<[thread: Worker, pid: number]> {
  const thread = new Worker(
    `const { spawn } = require('node:child_process');
    const child = spawn('/bin/sleep', ['1000'], { stdio: 'ignore', detached: true });
    require('node:worker_threads').parentPort.postMessage(child.pid);
    setInterval(() => undefined, 1000);`,
    { eval: true },
  );
  const [pid] = (await once(thread, 'message')) as [number];
  onTestFinished(async () => {
    process.kill(pid, 'SIGKILL');
    await thread.terminate();
  });
  return [thread, pid];
}

test('children of every thread are listed, also of one that has ended', async () => {
  expect(pids()).toEqual([]);
  const here = child();
  const [thread, there] = await threadWithChild();
  expect(new Set(pids())).toEqual(new Set([here.pid, there]));
  await thread.terminate();
  expect(new Set(pids())).toEqual(new Set([here.pid, there]));
});

test('threads that were there before those that make children are not asked', async () => {
  const [, early] = await threadWithChild();
  const few = new Orphans(2);
  onTestFinished(() => few.close());
  const [, late] = await threadWithChild();
  expect(new Set(pids(few))).toEqual(new Set([early, late]));
  const [, last] = await threadWithChild();
  const here = child();
  expect(new Set(pids(few))).toEqual(new Set([late, last, here.pid]));
});

test('what is asked at once is asked once, unless something has changed', async () => {
  expect(pids()).toEqual([]);
  const { pid } = child();
  expect(fresh(orphans.all().map((orphan) => orphan.pid))).toEqual([]);
  await Promise.resolve();
  expect(fresh(orphans.all().map((orphan) => orphan.pid))).toEqual([pid]);
});

test('who leads is no orphan, and who may turn out to lead is not taken for one', () => {
  const [first, second] = [{}, {}];
  orphans.begin(first);
  const leader = child();
  expect([pids(), settled()]).toEqual([[leader.pid], []]);
  orphans.begin(second);
  orphans.end(first, leader.pid);
  expect(pids()).toEqual([]);
  const orphan = child();
  expect([pids(), settled(), orphans.mayLead(orphan.pid)]).toEqual([[orphan.pid], [], true]);
  orphans.end(second);
  expect([pids(), settled(), orphans.mayLead(orphan.pid)]).toEqual([[orphan.pid], [orphan.pid], false]);
  orphans.reaped(leader.pid);
  expect(new Set(pids())).toEqual(new Set([orphan.pid, leader.pid]));
});

test('who leads is known by where its spawn writes the pid, before the spawn is finished', () => {
  const spawn: UnfinishedSpawn = { pid: Buffer.alloc(4) };
  orphans.begin(spawn);
  const [leader, other] = [child(), child()];
  expect(new Set(pids())).toEqual(new Set([leader.pid, other.pid]));
  spawn.pid!.writeInt32LE(leader.pid);
  expect(pids()).toEqual([other.pid]);
  expect(orphans.mayLead(leader.pid)).toBe(true);
  spawn.pid = undefined;
  orphans.end(spawn, leader.pid);
  expect([pids(), settled()]).toEqual([[other.pid], [other.pid]]);
});

test('the pid of what could not become its program may be that of another spawn', () => {
  const [first, second] = [{}, {}];
  orphans.begin(first);
  const { pid } = child();
  expect(orphans.mayLead(pid)).toBe(true);
  orphans.failed(first);
  orphans.begin(second);
  orphans.end(first);
  expect(orphans.mayLead(pid)).toBe(true);
  orphans.end(second);
  expect(orphans.mayLead(pid)).toBe(false);
});

test('what an orphan once named holds, and one that named nothing is looked at again', async () => {
  const forgetful = child('exec env -i /bin/sleep 1000', { env: { EXECGO_LAUNCH: 'first' } });
  const late = child('read go; EXECGO_LAUNCH=second exec sleep 1000', {
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const below = child('env EXECGO_LAUNCH=third sleep 1000 & wait', { env: {} });
  const environment = () => readFileSync(`/proc/${forgetful.pid}/environ`, 'utf8');
  const seen = orphans.carrying('first');
  if (seen.length > 0) {
    await waitFor(() => environment() === '', { what: 'the exec' });
    expect(orphans.carrying('first')).toEqual([forgetful.pid]);
  }
  expect(orphans.carrying('second')).toEqual([]);
  late.stdin!.end('\n');
  await waitFor(() => orphans.carrying('second').includes(late.pid), { what: 'the token of the late one' });
  await waitFor(() => orphans.carrying('third').includes(below.pid), { what: 'the token below' });
  expect(orphans.carrying('third')).toHaveLength(2);
});
