import { expect, test } from 'vitest';
import { script, startDaemon, submitAndWait } from '../harness/index.js';

const SPIN = 'while :; do :; done';
const LIMIT = { limits: { cpu_time_sec: 1, wall_time_ms: 50_000 } };
const IN_NAMESPACES = { sandbox: { profile: 'linux_sandbox' } };

test.each(['libc', 'execa'])('the CPU limit ends a task, with the %s launcher', async (launcher) => {
  const daemon = await startDaemon({ flags: ['--launcher', launcher, '--max-running-tasks', '8'] });
  const requests = [script(SPIN, LIMIT)];
  // Usage is what tells its KILL from any other, and execa gives none.
  if (launcher === 'libc')
    requests.push(
      script(`trap '' XCPU; ${SPIN}`, { ...LIMIT, ...IN_NAMESPACES }),
      script(`sh -c '${SPIN}'; exit $?`, LIMIT),
    );
  for (const end of await Promise.all(requests.map((r) => submitAndWait(daemon, r, 60_000)))) {
    expect(end).toMatchObject({
      status: 'failed',
      cause: 'cpu',
      error: { code: 'cpu_limit_exceeded', message: 'task exceeded cpu_time_sec' },
      execution_plan: {
        degraded: false,
        resource_enforcement: {
          cpu_time_enforced: true,
          cpu_time_mechanism: 'rlimit',
          cpu_time_scope: 'per_process',
        },
      },
    });
  }
});

test('other ends are not put down to the CPU limit', async () => {
  const daemon = await startDaemon();
  expect(await submitAndWait(daemon, script('kill -9 $$', LIMIT))).toMatchObject({ cause: 'signal' });
  expect(await submitAndWait(daemon, script('exit 152', LIMIT))).toMatchObject({ cause: 'exit' });
  expect(await submitAndWait(daemon, script('kill -XCPU $$'))).toMatchObject({
    cause: 'signal',
    exit_signal: 24,
  });
});

test('two spinning children share what cpu_millis gives', async () => {
  const daemon = await startDaemon();
  const spin = `timeout 2 sh -c '${SPIN}'`;
  const end = await submitAndWait(
    daemon,
    script(`${spin} & ${spin} & wait`, {
      limits: { cpu_millis: 500 },
      policy: { capability_mode: 'strict' },
    }),
  );
  const { duration_ms, user_cpu_ms = 0, system_cpu_ms = 0 } = end.usage!;
  const share = (user_cpu_ms + system_cpu_ms) / duration_ms;
  expect(share).toBeLessThan(0.65);
  // On a busy machine it may be less; none at all would mean that nothing was measured.
  expect(share).toBeGreaterThan(0.05);
  expect(end.execution_plan?.resource_enforcement).toMatchObject({
    cpu_millis: 500,
    cpu_millis_enforced: true,
    cpu_millis_mechanism: expect.stringMatching(/^cgroup_v[12]$/),
  });
});

test('without a cgroup there is no share of the CPU, and the plan says so', async () => {
  const daemon = await startDaemon({ cgroup: false });
  const end = await submitAndWait(daemon, script('exit 0', { limits: { cpu_millis: 500 } }));
  expect(end.execution_plan).toMatchObject({
    degraded: true,
    fallback_reasons: [expect.stringContaining('cpu_millis is not enforced')],
  });
});
