import { spawn } from 'node:child_process';
import type * as Fs from 'node:fs';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { killCgroup } from '../../src/sandbox/cgroup/cgroup.js';
import { sweepCgroups, type CgroupLayout } from '../../src/sandbox/cgroup/cgroup-layout.js';
import { tempDir } from '../harness/temp-dir.js';

/** What a write into a file of a cgroup is refused with; nothing is refused while it is empty. */
const refusal = vi.hoisted(() => ({ code: '', writes: 0 }));

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof Fs>();
  const writeFileSync: typeof fs.writeFileSync = (file, ...rest) => {
    if (refusal.code === '' || !String(file).endsWith('cgroup.kill')) {
      fs.writeFileSync(file, ...rest);
      return;
    }
    refusal.writes++;
    throw Object.assign(new Error(`${refusal.code}: write`), { code: refusal.code });
  };
  return { ...fs, default: { ...fs, writeFileSync }, writeFileSync };
});

afterEach(() => {
  refusal.code = '';
  vi.restoreAllMocks();
});

/** A directory that looks like the cgroup of a launch, in which processes of our own are listed. */
function fakeCgroup(parent: string, name: string, pids: number[]): string {
  const path = join(parent, name);
  mkdirSync(path);
  writeFileSync(join(path, 'cgroup.procs'), pids.map((pid) => `${pid}\n`).join(''));
  return path;
}

function sleeper(): { pid: number; ended: Promise<string | null> } {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return {
    pid: child.pid!,
    ended: new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal))),
  };
}

const CODES = ['EPERM', 'EACCES', 'EOPNOTSUPP', 'EINVAL', 'EBUSY', 'ENODEV', 'ENOENT', 'EIO'];

test.each(CODES)(
  'a cgroup that refuses a kill with %s keeps nobody in it from being killed',
  async (code) => {
    const [first, second] = [sleeper(), sleeper()];
    const path = fakeCgroup(tempDir(), 'launch', [first.pid, second.pid]);
    refusal.code = code;
    killCgroup({ track: { path, settings: [] }, kill_file: true, limits: [] });
    expect([await first.ended, await second.ended, refusal.writes > 0]).toEqual(['SIGKILL', 'SIGKILL', true]);
  },
);

test.each(['EPERM', 'EOPNOTSUPP'])(
  'nor does a process that may not be killed (%s), nor a directory, end the sweep',
  async (code) => {
    const parent = tempDir();
    const kept = sleeper();
    const others = ['a-1', 'b-2', 'c-3'].map((name) => {
      const child = sleeper();
      fakeCgroup(parent, name, [kept.pid, child.pid]);
      return child;
    });
    refusal.code = code;
    const kill = process.kill.bind(process);
    vi.spyOn(process, 'kill').mockImplementation((pid, signal) => {
      if (pid === kept.pid) throw Object.assign(new Error(`${code}: kill`), { code });
      return kill(pid, signal);
    });
    const layout = { track: { path: parent, kill_file: true } } as unknown as CgroupLayout;
    expect((await sweepCgroups(layout, () => false)).sort()).toEqual(['a-1', 'b-2', 'c-3']);
    expect(await Promise.all(others.map(({ ended }) => ended))).toEqual(['SIGKILL', 'SIGKILL', 'SIGKILL']);
  },
);
