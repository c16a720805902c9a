import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { resolvePlan } from '../../src/sandbox/plan.js';
import type { HostCapabilities } from '../../src/task/capabilities.js';
import { ExecgoError } from '../../src/task/errors.js';
import type { Namespaces } from '../../src/task/plan.js';
import { ableHost, request } from './hosts.js';

const ADAPTIVE = { capabilityMode: 'adaptive', wallTimeMs: 300_000, allowRootfs: ['/r'] } as const;
const STRICT = { capabilityMode: 'strict', wallTimeMs: 300_000, allowRootfs: ['/r'] } as const;
const LIMITS = { cpu_time_sec: 10, memory_bytes: 1000, pids_max: 7, cpu_millis: 500 };
const KINDS = ['mount', 'pid', 'uts', 'ipc', 'net'] as const;

const namespaces = fc.record<Namespaces>({
  mount: fc.boolean(),
  pid: fc.boolean(),
  uts: fc.boolean(),
  ipc: fc.boolean(),
  net: fc.boolean(),
});
const hosts = fc
  .record<Partial<HostCapabilities>>({
    linux_sandbox: fc.boolean(),
    chroot: fc.boolean(),
    namespaces,
    bubblewrap: fc.boolean(),
    rlimit_cpu: fc.boolean(),
    rlimit_memory: fc.boolean(),
    cgroup: fc.constantFrom('v2', 'v1', 'hybrid'),
    memory_limit: fc.boolean(),
    pids_limit: fc.boolean(),
    cpu_quota: fc.boolean(),
    oom_detection: fc.boolean(),
  })
  .map(ableHost);
const amount = fc.option(fc.integer({ min: 1 }), { nil: undefined });
const requests = fc
  .record({
    limits: fc.record({ cpu_time_sec: amount, memory_bytes: amount, pids_max: amount, cpu_millis: amount }),
    sandbox: fc.oneof(
      fc.constant({}),
      fc.record({
        profile: fc.constant('linux_sandbox' as const),
        rootfs: fc.constant('/r'),
        chroot: fc.boolean(),
        namespaces: fc.option(namespaces, { nil: undefined }),
      }),
    ),
  })
  .map(request);
const taskUsers = fc.constantFrom({}, { taskUser: 'nobody' });

test('a plain request on an able host is planned as it is', () => {
  expect(resolvePlan(request(), ableHost(), ADAPTIVE)).toEqual({
    plan: {
      capability_mode: 'adaptive',
      requested_sandbox: { profile: 'process', chroot: false },
      effective_sandbox: { profile: 'process', chroot: false },
      resource_enforcement: {
        wall_time_ms: 300_000,
        wall_time_mechanism: 'supervisor',
        wall_time_source: 'default',
        cpu_time_enforced: false,
        memory_enforced: false,
        pids_enforced: false,
        cgroup_enforced: false,
        oom_detection: false,
      },
      degraded: false,
    },
    reservation: { task_slots: 1 },
  });
});

test.each([
  ['v2', 'cgroup_v2'],
  ['v1', 'cgroup_v1'],
  ['hybrid', 'cgroup_v1'],
] as const)('every limit on a %s host has its mechanism, and is reserved', (cgroup, mechanism) => {
  const { plan, reservation } = resolvePlan(request({ limits: LIMITS }), ableHost({ cgroup }), STRICT);
  expect(plan.resource_enforcement).toEqual({
    wall_time_ms: 300_000,
    wall_time_mechanism: 'supervisor',
    wall_time_source: 'default',
    cpu_time_sec: 10,
    cpu_time_enforced: true,
    cpu_time_mechanism: 'rlimit',
    cpu_time_scope: 'per_process',
    cpu_millis: 500,
    cpu_millis_enforced: true,
    cpu_millis_mechanism: mechanism,
    memory_bytes: 1000,
    memory_enforced: true,
    memory_mechanism: mechanism,
    pids_max: 7,
    pids_enforced: true,
    pids_mechanism: mechanism,
    cgroup_enforced: true,
    oom_detection: true,
  });
  expect(reservation).toEqual({ task_slots: 1, cpu_millis: 500, memory_bytes: 1000, pids: 7 });
});

describe('without cgroups', () => {
  const reasons = { memory_limit: 'disabled', pids_limit: 'disabled', cpu_quota: 'disabled' };
  const host = ableHost({
    cgroup: 'none',
    memory_limit: false,
    pids_limit: false,
    cpu_quota: false,
    oom_detection: false,
    reasons,
  });

  test('adaptive says per limit what happens instead, and why', () => {
    const { plan } = resolvePlan(request({ limits: LIMITS }), host, ADAPTIVE);
    expect(plan.degraded).toBe(true);
    expect(plan.fallback_reasons).toEqual([
      'memory_bytes limits the address space of each process (rlimit) (disabled)',
      'pids_max is not enforced (disabled)',
      'cpu_millis is not enforced (disabled)',
    ]);
    expect(plan.resource_enforcement).toMatchObject({
      cpu_time_enforced: true,
      memory_enforced: true,
      memory_mechanism: 'rlimit',
      pids_enforced: false,
      pids_mechanism: 'none',
      cpu_millis_enforced: false,
      cpu_millis_mechanism: 'none',
      cgroup_enforced: false,
      oom_detection: false,
    });
  });

  test('a task user makes RLIMIT_NPROC worth something, and the plan says what it counts', () => {
    const { plan } = resolvePlan(request({ limits: { pids_max: 7 } }), host, {
      ...ADAPTIVE,
      taskUser: 'nobody',
    });
    expect(plan.resource_enforcement.pids_mechanism).toBe('rlimit');
    expect(plan.fallback_reasons).toEqual([
      'pids_max counts all processes of user nobody (rlimit) (disabled)',
    ]);
    expect(plan.effective_sandbox.user).toBe('nobody');
  });

  test.each([
    ['the server’s default', {}, STRICT],
    ['the request’s mode', { policy: { capability_mode: 'strict' } }, ADAPTIVE],
    [
      'requires_strict_sandbox',
      { policy: { capability_mode: 'adaptive' }, control_context: { requires_strict_sandbox: true } },
      ADAPTIVE,
    ],
  ] as const)('strict by %s refuses', (_, parts, defaults) => {
    const planned = () => resolvePlan(request({ ...parts, limits: { memory_bytes: 5 } }), host, defaults);
    expect(planned).toThrow(ExecgoError);
    expect(planned).toThrow(/^unsupported capability: memory_bytes .*\(disabled\)$/);
  });
});

test('linux_sandbox takes the default namespaces', () => {
  const { plan } = resolvePlan(request({ sandbox: { profile: 'linux_sandbox' } }), ableHost(), STRICT);
  const expected = { mount: true, pid: true, uts: true, ipc: true, net: false };
  expect(plan.requested_sandbox).toEqual({ profile: 'linux_sandbox', chroot: false, namespaces: expected });
  expect(plan.effective_sandbox).toEqual({
    profile: 'linux_sandbox',
    chroot: false,
    namespaces: expected,
    mechanism: 'unshare',
  });
});

test('linux_sandbox with no namespace has no mechanism', () => {
  const none = { mount: false, pid: false, uts: false, ipc: false, net: false };
  const { plan } = resolvePlan(
    request({ sandbox: { profile: 'linux_sandbox', namespaces: none } }),
    ableHost(),
    STRICT,
  );
  expect(plan.effective_sandbox.mechanism).toBeUndefined();
  expect(plan.degraded).toBe(false);
});

test('bubblewrap is named, with what it changes', () => {
  const host = ableHost({ bubblewrap: true, chroot: false });
  const { plan } = resolvePlan(request({ sandbox: { profile: 'linux_sandbox' } }), host, STRICT);
  expect(plan.effective_sandbox.mechanism).toBe('bubblewrap');
  expect(plan.capability_warnings).toEqual(['bubblewrap reports an end by signal n as exit code 128 + n']);
});

test('what has no effect is said', () => {
  const { plan } = resolvePlan(request({ sandbox: { rootfs: '/r', namespaces: {} } }), ableHost(), STRICT);
  expect(plan.degraded).toBe(false);
  expect(plan.capability_warnings).toHaveLength(2);
});

test.each([ADAPTIVE, STRICT])(
  'a task user that cannot be switched to is refused under $capabilityMode',
  (defaults) => {
    const host = ableHost({ switch_user: false, reasons: { switch_user: 'needs root' } });
    expect(() => resolvePlan(request(), host, { ...defaults, taskUser: 'nobody' })).toThrow(
      'unsupported capability: tasks cannot run as user nobody (needs root)',
    );
  },
);

test.each([
  ['/r', ['/r'], true],
  ['/r/a', ['/x', '/r'], true],
  ['/r/../r/b/.', ['/r'], true],
  ['/r/../x', ['/r'], false],
  ['/ra', ['/r'], false],
  ['/', ['/r'], false],
  ['r', ['/'], false],
  ['../r', ['/'], false],
  ['/r', [], false],
])('the root file system %s where %j are allowed: %s', (rootfs, allowRootfs, allowed) => {
  const task = request({ sandbox: { profile: 'linux_sandbox', chroot: true, rootfs } });
  const plan = () => resolvePlan(task, ableHost(), { ...ADAPTIVE, allowRootfs });
  if (allowed) expect(plan().plan.effective_sandbox.chroot).toBe(true);
  else expect(plan).toThrow(expect.objectContaining({ code: 'permission_denied' }));
});

test('strict never degrades; adaptive always plans, and either enforces or says why not', () => {
  fc.assert(
    fc.property(requests, hosts, taskUsers, (task, host, user) => {
      const { plan } = resolvePlan(task, host, { ...ADAPTIVE, ...user });
      const reasons = plan.fallback_reasons ?? [];
      expect(plan.degraded).toBe(reasons.length > 0);
      if (plan.degraded) expect(() => resolvePlan(task, host, { ...STRICT, ...user })).toThrow(ExecgoError);
      else
        expect(resolvePlan(task, host, { ...STRICT, ...user }).plan).toEqual({
          ...plan,
          capability_mode: 'strict',
        });

      const said = (word: string) => reasons.some((reason) => reason.includes(word));
      const { requested_sandbox: wanted, effective_sandbox: real } = plan;
      if (wanted.profile === 'linux_sandbox') {
        expect(real.profile === 'linux_sandbox' || said('linux_sandbox')).toBe(true);
        expect(!wanted.chroot || real.chroot || said('chroot')).toBe(true);
        for (const kind of KINDS) {
          const kept = wanted.namespaces?.[kind] !== true || real.namespaces?.[kind] === true;
          expect(kept || said(`${kind} namespace`) || said('linux_sandbox')).toBe(true);
        }
      }

      const limits = plan.resource_enforcement;
      for (const [value, enforced, mechanism, word] of [
        [limits.cpu_time_sec, limits.cpu_time_enforced, limits.cpu_time_mechanism, 'cpu_time_sec'],
        [limits.cpu_millis, limits.cpu_millis_enforced ?? false, limits.cpu_millis_mechanism, 'cpu_millis'],
        [limits.memory_bytes, limits.memory_enforced, limits.memory_mechanism, 'memory_bytes'],
        [limits.pids_max, limits.pids_enforced, limits.pids_mechanism, 'pids_max'],
      ] as const) {
        expect(enforced).toBe(mechanism !== undefined && mechanism !== 'none');
        expect(mechanism === undefined).toBe(value === undefined);
        expect(value === undefined || enforced || said(word)).toBe(true);
      }
      if (limits.oom_detection) expect(limits.memory_mechanism).toMatch(/^cgroup/);
    }),
  );
});
