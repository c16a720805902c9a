import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { command, script, startDaemon, submitAndWait } from '../harness/index.js';
import { python } from './support.js';

const MB = 1_000_000;
const LIMIT = { limits: { memory_bytes: 50 * MB } };
const eat = (bytes: number) => `b = bytearray(${bytes}); print("had it")`;

test('who takes more than its memory is ended by the kernel, and the task says so', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '8'] });
  const profiles = [{}, { sandbox: { profile: 'linux_sandbox' } }];
  const modes = [{}, { policy: { capability_mode: 'strict' } }];
  const ends = await Promise.all(
    profiles.flatMap((sandbox) =>
      modes.map((mode) => submitAndWait(daemon, python(eat(200 * MB), { ...LIMIT, ...sandbox, ...mode }))),
    ),
  );
  for (const end of ends) {
    expect(end).toMatchObject({
      status: 'failed',
      cause: 'oom',
      stdout: '',
      error: { code: 'memory_limit_exceeded', message: 'task exceeded memory limit' },
      execution_plan: {
        degraded: false,
        resource_enforcement: { memory_enforced: true, oom_detection: true },
      },
    });
    expect(end.usage?.memory_peak_bytes).toBeGreaterThan(45 * MB);
    expect(end.usage?.memory_peak_bytes).toBeLessThanOrEqual(50 * MB);
  }
});

test('under its memory it is left alone, and the limit counts the whole tree', async () => {
  const daemon = await startDaemon();
  expect(await submitAndWait(daemon, python(eat(20 * MB), LIMIT))).toMatchObject({ stdout: 'had it\n' });
  const together = `import os, time
for _ in range(3):
  if os.fork() == 0:
    b = bytearray(${20 * MB})
    time.sleep(60)
pid, end = os.wait()
print("killed" if end == 9 else end, flush=True)
os._exit(1)`;
  const end = await submitAndWait(daemon, python(together, LIMIT));
  expect(end).toMatchObject({ cause: 'oom', stdout: 'killed\n' });
});

test('only the kernel’s evidence counts', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '8'] });
  const ownHand = await submitAndWait(daemon, script('kill -9 $$', LIMIT));
  expect(ownHand).toMatchObject({ cause: 'signal', exit_signal: 9, error: { code: 'signal' } });
  const inNamespace = await submitAndWait(
    daemon,
    script('kill -9 $$', { ...LIMIT, sandbox: { profile: 'linux_sandbox' } }),
  );
  expect(inNamespace).toMatchObject({ cause: 'signal', exit_signal: 9 });
  // A leader that copes with the loss of a child has succeeded.
  const copes = `python3 -c '${eat(200 * MB)}'; echo child: $?; exit 0`;
  const success = await submitAndWait(daemon, script(copes, LIMIT));
  expect(success).toMatchObject({ status: 'success', cause: 'exit', stdout: 'child: 137\n' });
  expect(success.usage?.oom_kills).toBe(1);
  expect(JSON.parse(readFileSync(success.artifacts.result_path, 'utf8'))).toMatchObject({
    usage: { oom_kills: 1 },
  });
  expect(ownHand.usage?.oom_kills).toBe(0);
  const gives = `python3 -c '${eat(200 * MB)}' || exit 3`;
  expect(await submitAndWait(daemon, script(gives, LIMIT))).toMatchObject({ cause: 'oom', exit_code: 3 });
});

test('a limit in which nothing can start is exceeded, and not a failure to launch', async () => {
  const daemon = await startDaemon();
  for (const memory_bytes of [1, 4096, 100_000])
    expect(await submitAndWait(daemon, command('true', [], { limits: { memory_bytes } }))).toMatchObject({
      status: 'failed',
      cause: 'oom',
      error: { code: 'memory_limit_exceeded' },
    });
});

test('swap is no way around', async () => {
  const daemon = await startDaemon();
  const own = `d=/sys/fs/cgroup/memory$(sed -n 's/.*:memory://p' /proc/self/cgroup)
    [ -d "$d" ] || d=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
    for f in memory.memsw.limit_in_bytes memory.swap.max; do [ ! -e "$d/$f" ] || cat "$d/$f"; done`;
  const { stdout } = await submitAndWait(daemon, script(own, { limits: { memory_bytes: 64 * 1024 * 1024 } }));
  // Empty on a kernel that does not account for swap.
  expect(['', '0\n', `${64 * 1024 * 1024}\n`]).toContain(stdout);
});

test('without a cgroup the address space of each process is limited, and the plan says so', async () => {
  const daemon = await startDaemon({ cgroup: false });
  const limits = { limits: { memory_bytes: 400 * MB } };
  const end = await submitAndWait(daemon, python(eat(600 * MB), limits));
  expect(end).toMatchObject({
    status: 'failed',
    cause: 'exit',
    stderr: expect.stringContaining('MemoryError'),
    execution_plan: {
      degraded: true,
      fallback_reasons: [expect.stringContaining('rlimit')],
      resource_enforcement: {
        memory_enforced: true,
        memory_mechanism: 'rlimit',
        oom_detection: false,
        cgroup_enforced: false,
      },
    },
  });
  expect(await submitAndWait(daemon, python(eat(20 * MB), limits))).toMatchObject({ stdout: 'had it\n' });
  const huge = { limits: { memory_bytes: Number.MAX_SAFE_INTEGER } };
  expect((await submitAndWait(daemon, command('true', [], limits))).status).toBe('success');
  await expect(submitAndWait(daemon, command('true', [], huge))).rejects.toThrow('insufficient');
});
