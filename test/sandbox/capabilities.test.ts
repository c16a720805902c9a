import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { capabilitiesView } from '../../src/sandbox/capabilities-view.js';
import { removeLayout } from '../../src/sandbox/cgroup/cgroup-layout.js';
import { readPlatform } from '../../src/sandbox/platform.js';
import { findTool } from '../../src/sandbox/process/tools.js';
import { cgroupDirs, cgroupName } from '../harness/cgroups.js';
import { tempDir } from '../harness/temp-dir.js';
import { ableHost, probeHost } from './hosts.js';

test('this host is seen as it is', async () => {
  const { capabilities, layout } = await probeHost();
  expect(capabilities).toMatchObject({
    collected_at_ms: 1_700_000_000_000,
    linux_sandbox: true,
    chroot: true,
    namespaces: { mount: true, pid: true, uts: true, ipc: true, net: true },
    bubblewrap: false,
    data_dir_writable: true,
    rlimit_cpu: true,
    rlimit_memory: true,
    cgroup_writable: true,
    cgroup_tracking: true,
    cgroup_freezer: true,
    memory_limit: true,
    pids_limit: true,
    cpu_quota: true,
    oom_detection: true,
    switch_user: true,
    warnings: [],
  });
  expect(capabilities.cgroup).toBe(layout.kind);
});

test('a probe leaves the layout’s own directories, and nothing in them', async () => {
  const cgroupRoot = `/sys/fs/cgroup/${cgroupName()}`;
  const { layout } = await probeHost({ cgroupRoot });
  const paths = [layout.track, layout.memory, layout.pids, layout.cpu].flatMap((dir) =>
    dir === undefined ? [] : [dir.path],
  );
  expect(paths).not.toEqual([]);
  for (const path of paths)
    expect(readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory())).toEqual([]);
  removeLayout(layout);
  expect(cgroupDirs(basename(cgroupRoot))).toEqual([]);
});

test('two data directories share a root without sharing directories', async () => {
  const cgroupRoot = `/sys/fs/cgroup/${cgroupName()}`;
  const [one, two] = [await probeHost({ cgroupRoot }), await probeHost({ cgroupRoot })];
  expect(one.layout.track?.path).not.toBe(two.layout.track?.path);
  removeLayout(one.layout);
  expect(existsSync(two.layout.track?.path ?? '')).toBe(true);
});

test('what is disabled is off, with the flag as the reason, and user switching stays', async () => {
  const { capabilities, layout } = await probeHost({ disableCgroup: true, disableLinuxSandbox: true });
  expect(layout).toEqual({ kind: 'none' });
  expect(capabilities).toMatchObject({
    linux_sandbox: false,
    chroot: false,
    namespaces: { mount: false, pid: false, uts: false, ipc: false, net: false },
    cgroup: 'none',
    memory_limit: false,
    cgroup_tracking: false,
    cgroup_freezer: false,
    switch_user: true,
    rlimit_cpu: true,
    reasons: {
      linux_sandbox: 'disabled by --disable-linux-sandbox',
      namespace_pid: 'disabled by --disable-linux-sandbox',
      memory_limit: 'disabled by --disable-cgroup',
      cgroup_tracking: 'disabled by --disable-cgroup',
      cgroup_freezer: 'disabled by --disable-cgroup',
    },
  });
  expect(capabilities.warnings).toHaveLength(4);
});

test('a root that is on no cgroup file system counts for nothing, though mkdir and writes succeed there', async () => {
  const parent = tempDir();
  mkdirSync(join(parent, 'execgo'));
  const { capabilities, layout } = await probeHost({ cgroupRoot: join(parent, 'execgo') });
  expect(layout).toEqual({ kind: 'none' });
  expect(capabilities.cgroup_writable).toBe(false);
  expect(capabilities.reasons.memory_limit).toContain('is not on a cgroup file system');
});

test('a user that does not exist, and a data directory that does not, are told', async () => {
  const { capabilities } = await probeHost({ taskUser: 'nobody-here', dataDir: '/no/such/dir' });
  expect(capabilities.switch_user).toBe(false);
  expect(capabilities.reasons.switch_user).toBe('user nobody-here does not exist');
  expect(capabilities.data_dir_writable).toBe(false);
  expect(capabilities.reasons.data_dir_writable).toContain('ENOENT');
});

test('tools are found in the given path first, then where systems keep them', () => {
  expect(findTool('sh', '/usr/bin')).toBe('/usr/bin/sh');
  expect(findTool('chroot', '')).toMatch(/^\/.*\/chroot$/);
  expect(findTool('sh', 'relative:/no/such')).toMatch(/^\//);
  expect(findTool('execgo-no-such-tool')).toBeUndefined();
});

test('the platform has the older runtime’s names', () => {
  expect(readPlatform({})).toMatchObject({ os: 'linux', kubernetes: false });
  expect(readPlatform({ KUBERNETES_SERVICE_HOST: '10.0.0.1' })).toMatchObject({
    containerized: true,
    kubernetes: true,
  });
});

describe('the published form', () => {
  const options = { runtimeId: 'r', capacity: { task_slots: 4 }, overrides: {} };

  test('of an able host names every enhanced semantic', () => {
    expect(capabilitiesView(ableHost(), options)).toMatchObject({
      runtime_id: 'r',
      snapshot_version: 'v1',
      collected_at: '1970-01-01T00:00:00.000Z',
      execution: { command: true, script: true, process_group: true },
      resources: { ledger: true, capacity: { task_slots: 4 } },
      enhanced_semantics: [
        'resource_ledger',
        'linux_sandbox',
        'namespaces',
        'chroot',
        'cgroup_memory',
        'cgroup_pids',
        'cgroup_cpu',
        'oom_detection',
      ],
      degraded: false,
    });
    expect(capabilitiesView(ableHost(), options)).not.toHaveProperty('overrides');
    expect(capabilitiesView(ableHost(), options)).not.toHaveProperty('warnings');
  });

  test('of a poor host claims nothing, and shows overrides and warnings', () => {
    const host = ableHost({
      linux_sandbox: false,
      chroot: false,
      memory_limit: false,
      oom_detection: false,
      warnings: ['w'],
    });
    const view = capabilitiesView(host, { ...options, overrides: { linux_sandbox: 'disabled' } });
    expect(view).toMatchObject({ degraded: true, overrides: { linux_sandbox: 'disabled' }, warnings: ['w'] });
    expect(view).toHaveProperty('enhanced_semantics', [
      'resource_ledger',
      'namespaces',
      'cgroup_pids',
      'cgroup_cpu',
    ]);
  });
});
