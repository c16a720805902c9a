import { onTestFinished } from 'vitest';
import { probeCapabilities, type ProbedHost, type ProbeOptions } from '../../src/sandbox/capabilities.js';
import { removeLayout } from '../../src/sandbox/cgroup/cgroup-layout.js';
import { LIMIT_CAPABILITIES, type LimitCapability } from '../../src/sandbox/limits/limits.js';
import type { HostCapabilities } from '../../src/task/capabilities.js';
import { submitSchema, type TaskRequest, type TaskSubmission } from '../../src/task/request.js';
import { cgroupName } from '../harness/cgroups.js';
import { tempDir } from '../harness/temp-dir.js';

/** Probes this host under cgroup directories of the test's own, which go when it ends. */
export async function probeHost(options: Partial<ProbeOptions> = {}): Promise<ProbedHost> {
  const host = await probeCapabilities({
    dataDir: tempDir(),
    cgroupRoot: `/sys/fs/cgroup/${cgroupName()}`,
    disableCgroup: false,
    disableLinuxSandbox: false,
    launcher: 'libc',
    now: () => 1_700_000_000_000,
    ...options,
  });
  onTestFinished(() => removeLayout(host.layout));
  return host;
}

/** A request as validation leaves it, running /bin/true unless told. */
export function request(parts: Partial<TaskSubmission> = {}): TaskRequest {
  return submitSchema.parse({ execution: { kind: 'command', program: '/bin/true' }, ...parts });
}

/** A host that can do everything, with `changes`. */
export function ableHost(changes: Partial<HostCapabilities> = {}): HostCapabilities {
  const holding = Object.fromEntries(LIMIT_CAPABILITIES.map((name) => [name, true])) as Record<
    LimitCapability,
    true
  >;
  return {
    collected_at_ms: 0,
    platform: { os: 'linux', arch: 'x86_64', containerized: false, kubernetes: false },
    launcher: 'libc',
    linux_sandbox: true,
    chroot: true,
    namespaces: { mount: true, pid: true, uts: true, ipc: true, net: true },
    bubblewrap: false,
    unshare_passes_kill: true,
    data_dir_writable: true,
    ...holding,
    cgroup: 'v2',
    cgroup_v2: true,
    cgroup_writable: true,
    cgroup_freezer: true,
    oom_detection: true,
    cgroup_tracking: true,
    switch_user: true,
    reasons: {},
    warnings: [],
    ...changes,
  };
}
