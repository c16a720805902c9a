import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  cgroupPids,
  createCgroup,
  enterCgroup,
  killCgroup,
  readCgroupUsage,
  removeCgroup,
} from '../../src/sandbox/cgroup/cgroup.js';
import {
  cgroupSpec,
  sweepCgroups,
  type CgroupLayout,
  type CgroupLimits,
} from '../../src/sandbox/cgroup/cgroup-layout.js';
import { freeze, thaw } from '../../src/sandbox/cgroup/freezer.js';
import type { CgroupSpec } from '../../src/sandbox/launch.js';
import { findTool } from '../../src/sandbox/process/tools.js';
import { cgroupName } from '../harness/cgroups.js';
import { waitFor } from '../harness/wait.js';
import { probeHost } from './hosts.js';
import { startChain } from './run-chain.js';

const SETSID = findTool('setsid') ?? '';

/** The cgroup of one launch, made, and removed with everything in it when the test ends. */
async function makeCgroup(limits: CgroupLimits, change: (layout: CgroupLayout) => CgroupLayout = (l) => l) {
  const { layout } = await probeHost();
  const spec = cgroupSpec(change(layout), 'launch-1', limits);
  if (spec === undefined) throw new Error('these tests need writable cgroups');
  createCgroup(spec);
  onTestFinished(() => endCgroup(spec));
  return spec;
}

async function endCgroup(spec: CgroupSpec): Promise<void> {
  killCgroup(spec);
  await waitFor(() => removeCgroup(spec), { what: 'an empty cgroup' });
}

test('an attempt without limits has one directory', async () => {
  const spec = await makeCgroup({});
  expect(spec.limits).toEqual([]);
  expect(spec.track.settings).toEqual([]);
  expect(existsSync(join(spec.track.path, 'cgroup.procs'))).toBe(true);
  expect(cgroupPids(spec)).toEqual([]);
  expect(readCgroupUsage(spec)).toEqual({ user_cpu_ms: 0, system_cpu_ms: 0 });
});

test('the chain enters the cgroups before the program runs', async () => {
  const spec = await makeCgroup({ memory_bytes: 2 ** 28, pids_max: 10, cpu_millis: 500 });
  const { stdout } = await startChain(['cat', '/proc/self/cgroup'], { cgroup: spec }).ended;
  for (const dir of [spec.track, ...spec.limits]) {
    const inside = dir.path.split('/').slice(-3).join('/');
    expect(stdout).toContain(inside);
  }
});

test.each(['v2', 'v1'] as const)(
  'what is frozen on %s goes on once it is thawed, and is killed as anything else',
  async (version) => {
    const root = version === 'v2' ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup/freezer';
    const { layout } = await probeHost({ cgroupRoot: `${root}/${cgroupName()}` });
    expect(layout.track?.freezer).toBe(version);
    const spec = cgroupSpec(layout, 'launch-1', {})!;
    createCgroup(spec);
    onTestFinished(() => endCgroup(spec));
    // One of its processes is in a directory that the task has made in its own, and frozen a second time.
    const inner = join(spec.track.path, 'inner');
    mkdirSync(inner);
    const children = [spec.track.path, inner].map((path) => {
      const child = spawn('sh', ['-c', 'while read line; do echo $line; done'], {
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      writeFileSync(join(path, 'cgroup.procs'), String(child.pid));
      return child;
    });
    await waitFor(() => freeze(spec) === true);
    const said: string[] = [];
    for (const child of children) {
      child.stdout.on('data', (text: Buffer) => said.push(String(text)));
      child.stdin.write('hello\n');
    }
    thaw(spec.track.path, version);
    await waitFor(() => said.join('') === 'hello\nhello\n');
    freeze({ ...spec, track: { path: inner, settings: [] } });
    await waitFor(() => freeze(spec) === true);
    killCgroup(spec);
    await waitFor(() => children.every(({ signalCode }) => signalCode === 'SIGKILL'), { what: 'their ends' });
  },
);

test('a running process is moved; one that has gone is nobody to move', async () => {
  const spec = await makeCgroup({ pids_max: 10 });
  const chain = startChain(['sleep', '1000']);
  await enterCgroup(spec, chain.pid);
  expect(cgroupPids(spec)).toEqual([chain.pid]);
  killCgroup(spec);
  expect((await chain.ended).signal).toBe('SIGKILL');
  await enterCgroup(spec, chain.pid);
  expect(cgroupPids(spec)).toEqual([]);
});

test('memory over the limit is an out-of-memory kill on the kernel’s evidence', async () => {
  const spec = await makeCgroup({ memory_bytes: 32 * 2 ** 20 });
  const run = await startChain(
    [process.execPath, '-e', 'Buffer.alloc(200e6, 1); setInterval(() => {}, 1e6)'],
    { cgroup: spec },
  ).ended;
  expect(run).toMatchObject({ signal: 'SIGKILL', report: { ran: true } });
  const usage = readCgroupUsage(spec);
  expect(usage.oom_kills).toBeGreaterThan(0);
  expect(usage.memory_peak_bytes).toBeGreaterThan(30 * 2 ** 20);
  expect(usage.memory_peak_bytes).toBeLessThanOrEqual(32 * 2 ** 20);
});

test('a plain kill -9 is none', async () => {
  const spec = await makeCgroup({ memory_bytes: 2 ** 28 });
  const run = await startChain(['/bin/sh', '-c', 'kill -9 $$'], { cgroup: spec }).ended;
  expect(run.signal).toBe('SIGKILL');
  expect(readCgroupUsage(spec).oom_kills).toBe(0);
});

test('a fork bomb does not pass the pids limit, which counts the task alone', async () => {
  const spec = await makeCgroup({ pids_max: 3 });
  const enough = await startChain(['/bin/sh', '-c', 'sleep 0 & sleep 0 & wait; echo done'], { cgroup: spec })
    .ended;
  expect(enough).toMatchObject({ stdout: 'done\n', stderr: '' });
  const bomb = await startChain(['/bin/sh', '-c', 'for i in 1 2 3 4 5 6; do sleep 1000 & done; exit 0'], {
    cgroup: spec,
  }).ended;
  expect(bomb.stderr).toMatch(/fork/);
});

test('a CPU quota slows a busy loop', async () => {
  const spec = await makeCgroup({ cpu_millis: 100 });
  const chain = startChain(['/bin/sh', '-c', 'while :; do :; done'], { cgroup: spec });
  const stat =
    [spec.track, ...spec.limits].map(({ path }) => join(path, 'cpu.stat')).findLast(existsSync) ?? '';
  const throttled = () => Number(/^nr_throttled (\d+)$/m.exec(readFileSync(stat, 'utf8'))?.[1]);
  await waitFor(() => throttled() > 0, { what: 'a throttled task' });
  killCgroup(spec);
  await chain.ended;
});

describe.each([
  { how: 'as the layout says', plain: false },
  { how: 'without cgroup.kill', plain: true },
])('killing $how', ({ plain }) => {
  const change = (layout: CgroupLayout): CgroupLayout =>
    plain && layout.track !== undefined
      ? { ...layout, track: { ...layout.track, kill_file: false } }
      : layout;

  test('reaches what left the process group and what sits in sub-directories', async () => {
    const spec = await makeCgroup({}, change);
    const below = join(spec.track.path, 'a', 'b');
    mkdirSync(below, { recursive: true });
    const chain = startChain(['/bin/sh', '-c', `${SETSID} sleep 1000 & sleep 1000`], { cgroup: spec });
    await waitFor(() => cgroupPids(spec).length === 3);
    const deep = startChain(['sleep', '1000']);
    writeFileSync(join(below, 'cgroup.procs'), String(deep.pid));
    expect(cgroupPids(spec)).toContain(deep.pid);
    expect(removeCgroup(spec)).toBe(false);
    killCgroup(spec);
    expect((await Promise.all([chain.ended, deep.ended])).map((run) => run.signal)).toEqual([
      'SIGKILL',
      'SIGKILL',
    ]);
    await waitFor(() => removeCgroup(spec));
    expect(existsSync(spec.track.path)).toBe(false);
    killCgroup(spec);
    expect(removeCgroup(spec)).toBe(true);
  });
});

test('a directory that is made again, or without a parent, fails and leaves nothing', async () => {
  const spec = await makeCgroup({ pids_max: 5 });
  expect(() => createCgroup(spec)).toThrow(/cannot make cgroup .*launch-1/);
  expect(existsSync(spec.track.path)).toBe(true);
  const lost = { ...spec, track: { ...spec.track, path: `${spec.track.path}/no/parent` } };
  expect(() => createCgroup(lost)).toThrow(/cannot make cgroup/);
  const wrong: CgroupSpec = {
    ...spec,
    track: { path: `${spec.track.path}-wrong`, settings: [['no.such.file', '1']] },
  };
  expect(() => createCgroup(wrong)).toThrow(/cannot set .*no\.such\.file to 1/);
  expect(existsSync(wrong.track.path)).toBe(false);
  await expect(enterCgroup(wrong, process.pid)).rejects.toThrow(/cannot move process/);
});

test('a sweep kills and removes what is not to be kept, and nothing else', async () => {
  const { layout } = await probeHost();
  const names = ['old-1', 'old-2', 'new-3'];
  const specs = names.map((name) => cgroupSpec(layout, name, { pids_max: 10, memory_bytes: 2 ** 28 }));
  const [one, two, three] = specs;
  if (one === undefined || two === undefined || three === undefined)
    throw new Error('these tests need writable cgroups');
  for (const spec of [one, two, three]) {
    createCgroup(spec);
    onTestFinished(() => endCgroup(spec));
  }
  const old = startChain(['sleep', '1000'], { cgroup: one });
  const kept = startChain(['sleep', '1000'], { cgroup: three });
  await Promise.all([old.reported, kept.reported]);
  expect(await sweepCgroups(layout, (name) => name.startsWith('new-'))).toEqual([]);
  expect((await old.ended).signal).toBe('SIGKILL');
  expect(existsSync(one.track.path) || existsSync(two.track.path)).toBe(false);
  expect(cgroupPids(three)).toEqual([kept.pid]);
  const left = [layout.track, layout.memory, layout.pids].flatMap((dir) =>
    dir === undefined
      ? []
      : readdirSync(dir.path, { withFileTypes: true }).filter((entry) => entry.isDirectory()),
  );
  expect(new Set(left.map((entry) => entry.name))).toEqual(new Set(['new-3']));
});

test('where cgroup.kill does not work the processes are killed one by one', async () => {
  const spec = await makeCgroup({});
  expect(spec.kill_file).toBe(true);
  const run = startChain(['/bin/sleep', '1000'], { cgroup: spec });
  await waitFor(() => cgroupPids(spec).length > 0);
  const file = join(spec.track.path, 'cgroup.kill');
  execFileSync('mount', ['--bind', file, file]);
  onTestFinished(() => void execFileSync('umount', [file]));
  execFileSync('mount', ['-o', 'remount,bind,ro', file]);
  expect(() => writeFileSync(file, '1')).toThrow('EROFS');
  killCgroup(spec);
  expect((await run.ended).signal).toBe('SIGKILL');
});
