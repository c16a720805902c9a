import { expect, test } from 'vitest';
import { parseCgroupMounts } from '../../src/sandbox/cgroup/cgroup-mounts.js';
import { cgroupSpec, type CgroupLayout } from '../../src/sandbox/cgroup/cgroup-layout.js';

const V2: CgroupLayout = {
  kind: 'v2',
  track: { path: '/cg', kill_file: true },
  memory: { path: '/cg', version: 'v2', swap: true, peak: true },
  pids: { path: '/cg', version: 'v2' },
  cpu: { path: '/cg', version: 'v2' },
};
const V1: CgroupLayout = {
  kind: 'v1',
  track: { path: '/pids', kill_file: false },
  memory: { path: '/memory', version: 'v1', swap: true, peak: true },
  pids: { path: '/pids', version: 'v1' },
  cpu: { path: '/cpu', version: 'v1' },
};
const LIMITS = { memory_bytes: 1000, pids_max: 7, cpu_millis: 1500 };

test('on v2 one directory has everything', () => {
  expect(cgroupSpec(V2, 'n', LIMITS)).toEqual({
    track: {
      path: '/cg/n',
      settings: [
        ['memory.max', '1000'],
        ['memory.swap.max', '0'],
        ['memory.oom.group', '1'],
        ['pids.max', '7'],
        ['cpu.max', '150000 100000'],
      ],
    },
    kill_file: true,
    limits: [],
    peak_file: '/cg/n/memory.peak',
    cpu_file: '/cg/n/cpu.stat',
    oom_file: '/cg/n/memory.events',
  });
});

test('on v1 each controller has a directory, and the tracking one is shared', () => {
  expect(cgroupSpec(V1, 'n', LIMITS)).toEqual({
    track: { path: '/pids/n', settings: [['pids.max', '7']] },
    kill_file: false,
    limits: [
      {
        path: '/memory/n',
        settings: [
          ['memory.limit_in_bytes', '1000'],
          ['memory.memsw.limit_in_bytes', '1000'],
        ],
      },
      {
        path: '/cpu/n',
        settings: [
          ['cpu.cfs_period_us', '100000'],
          ['cpu.cfs_quota_us', '150000'],
        ],
      },
    ],
    peak_file: '/memory/n/memory.max_usage_in_bytes',
    oom_file: '/memory/n/memory.oom_control',
  });
});

test('limits stay within what the kernel takes', () => {
  const settings = cgroupSpec(V2, 'n', { pids_max: 2 ** 40, cpu_millis: 1 })?.track.settings;
  expect(settings).toEqual([
    ['pids.max', 'max'],
    ['cpu.max', '1000 100000'],
  ]);
  expect(cgroupSpec(V2, 'n', { cpu_millis: Number.MAX_SAFE_INTEGER })?.track.settings).toEqual([
    ['cpu.max', '10000000000 100000'],
  ]);
});

test('without cgroups there is none', () => {
  expect(cgroupSpec({ kind: 'none' }, 'n', LIMITS)).toBeUndefined();
});

test('mounts are read with their controllers and spaces', () => {
  const mounts = [
    'proc /proc proc rw 0 0',
    'cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0',
    'cgroup2 /mnt/a\\040b cgroup2 rw 0 0',
    '',
  ].join('\n');
  expect(parseCgroupMounts(mounts)).toEqual([
    { path: '/sys/fs/cgroup/cpu,cpuacct', version: 'v1', controllers: ['rw', 'cpu', 'cpuacct'] },
    { path: '/mnt/a b', version: 'v2', controllers: [] },
  ]);
});
