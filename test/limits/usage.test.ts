import { expect, test } from 'vitest';
import { command, script, startDaemon, submit, submitAndWait, waitFor } from '../harness/index.js';
import { kill, python, status, submitAndSee } from './support.js';

const MIB = 1024 * 1024;
/** Reads a block of this many MiB and writes it again: dd needs that much and little more. */
const dd = (mib: number, more: object = {}) =>
  command('dd', ['if=/dev/zero', 'of=/dev/null', `bs=${mib}M`, 'count=1'], more);

test.each([5, 300])('peak memory of a task that uses %i MiB', async (mib) => {
  const daemon = await startDaemon();
  const own = 0.5 * MIB;
  const variants = [
    { limits: { memory_bytes: 1000 * MIB } },
    // Whatever goes through the launch chain is measured, not only what is limited.
    { limits: { cpu_time_sec: 60 } },
  ];
  for (const more of variants) {
    const peak = (await submitAndWait(daemon, dd(mib, more))).usage?.memory_peak_bytes ?? 0;
    const used = mib * MIB + own;
    expect(Math.abs(peak - used), JSON.stringify(more)).toBeLessThanOrEqual(Math.max(0.1 * used, MIB));
  }
});

test('each attempt begins at zero', async () => {
  const daemon = await startDaemon();
  const limits = { limits: { memory_bytes: 1000 * MIB } };
  await submitAndWait(daemon, dd(100, limits));
  const small = await submitAndWait(daemon, command('true', [], limits));
  expect(small.usage?.memory_peak_bytes).toBeLessThan(5 * MIB);
});

test('without a memory cgroup a peak is told where it is known, and never made up', async () => {
  for (const cgroup of [true, false]) {
    const daemon = await startDaemon({ cgroup });
    const small = await submitAndWait(daemon, dd(5));
    expect(small.usage?.max_rss_bytes).toBeUndefined();
    const large = (await submitAndWait(daemon, dd(300))).usage?.max_rss_bytes ?? 0;
    expect(Math.abs(large - 301 * MIB)).toBeLessThan(30 * MIB);
  }
});

test('CPU time counts children, also those that nobody waits for', async () => {
  const daemon = await startDaemon();
  const spin = 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done';
  const waited = await submitAndWait(daemon, script(`sh -c '${spin}'`));
  const abandoned = await submitAndWait(
    daemon,
    script(`mkfifo p; sh -c '${spin}; echo done >p; sleep 60' & read line <p; exit 0`),
  );
  expect(abandoned.status).toBe('success');
  expect(waited.usage?.user_cpu_ms).toBeGreaterThan(20);
  expect(abandoned.usage?.user_cpu_ms).toBeGreaterThan((waited.usage?.user_cpu_ms ?? 0) / 4);
});

test('a task as short as 5 ms has its usage', async () => {
  const daemon = await startDaemon();
  for (const more of [{}, { limits: { memory_bytes: 100 * MIB } }]) {
    const end = await submitAndWait(daemon, script('i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done', more));
    expect(end.usage).toMatchObject({
      duration_ms: end.duration_ms,
      user_cpu_ms: expect.any(Number),
      system_cpu_ms: expect.any(Number),
    });
    expect((end.usage?.user_cpu_ms ?? 0) + (end.usage?.system_cpu_ms ?? 0)).toBeGreaterThan(0);
  }
});

test.each([true, false])('live figures are those of the whole tree; cgroups: %s', async (cgroup) => {
  const daemon = await startDaemon({ cgroup, flags: ['--termination-grace-ms', '300'] });
  const tree = `import os, time
for _ in range(2):
  if os.fork() == 0:
    b = bytearray(${40 * MIB})
    end = time.time() + 60
    while time.time() < end: pass
print("up", flush=True)
time.sleep(60)`;
  const id = await submitAndSee(daemon, python(tree), 'up');
  const usage = await waitFor(
    async () => {
      const { usage: now } = await status(daemon, id);
      return (now?.memory_bytes ?? 0) > 80 * MIB && (now?.cpu_percent ?? 0) > 10 ? now : undefined;
    },
    { what: 'live usage' },
  );
  expect(usage).toMatchObject({ processes: 3, duration_ms: expect.any(Number) });
  expect(usage.memory_bytes).toBeLessThan(300 * MIB);
  await kill(daemon, id);
});

test('a busy task shows what it uses once it has run for a second, however often it was asked for before', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '2'] });
  const [polled, quiet] = [
    await submit(daemon, script('while :; do :; done')),
    await submit(daemon, script('while :; do :; done')),
  ];
  const second = await waitFor(async () => {
    const task = await status(daemon, polled);
    return (task.duration_ms ?? 0) >= 1000 && task;
  });
  for (const task of [second, await status(daemon, quiet)]) {
    expect(task.usage?.cpu_percent).toBeGreaterThan(0);
    expect(task.usage?.memory_bytes).toBeGreaterThan(0);
    expect(task.usage?.processes).toBe(1);
  }
  for (const id of [polled, quiet]) await kill(daemon, id);
});

test('output is counted in bytes', async () => {
  const daemon = await startDaemon();
  const id = await submit(daemon, script('head -c 12345 /dev/zero; printf äöü >&2'));
  await waitFor(async () => (await status(daemon, id)).status === 'success');
  expect(await status(daemon, id)).toMatchObject({ stdout_bytes: 12_345, stderr_bytes: 6 });
});
