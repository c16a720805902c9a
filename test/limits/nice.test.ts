import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cgroupSpec } from '../../src/sandbox/cgroup/cgroup-layout.js';
import { command, http, script, startDaemon, submitAndWait, tempDir, waitForEnd } from '../harness/index.js';
import { python, submitAndSee } from './support.js';

/** Spins for a second and a half once all are there, on one CPU with the others, and says how much of it was its own. */
const SPIN = (gate: string) => `import os, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print("up", flush=True)
while not os.path.exists(${JSON.stringify(gate)}): time.sleep(0.01)
end = time.monotonic() + 1.5
while time.monotonic() < end: pass
print(time.process_time())`;

test('who is nice stands back for another task', async () => {
  const daemon = await startDaemon();
  const gate = join(tempDir(), 'gate');
  const start = (nice: number) => submitAndSee(daemon, python(SPIN(gate), { limits: { nice } }), 'up');
  const ids = [await start(0), await start(19)];
  writeFileSync(gate, '');
  const ends = await Promise.all(ids.map((id) => waitForEnd(daemon, id)));
  const [first = 0, last = 0] = ends.map(({ stdout }) => Number(stdout.split('\n')[1]));
  expect(first).toBeGreaterThan(2 * last);
  expect(ends[1]?.execution_plan).toMatchObject({
    degraded: false,
    resource_enforcement: { nice: 19, nice_enforced: true, nice_mechanism: 'nice' },
  });
});

test.each([
  {},
  { limits: { cpu_millis: 1000 } },
  { sandbox: { profile: 'linux_sandbox' } },
  { execution: { env: { PATH: '/nowhere' } } },
])('its processes have the value, and its session; with %j', async (more) => {
  const daemon = await startDaemon();
  const { execution, limits, ...rest } = { execution: {}, limits: {}, ...more };
  const text = 'read x </proc/self/autogroup; echo "$x"; /usr/bin/nice';
  const request = script(text, { ...rest, limits: { ...limits, nice: 7 } }) as { execution: object };
  const end = await submitAndWait(daemon, { ...request, execution: { ...request.execution, ...execution } });
  expect(end).toMatchObject({ status: 'success' });
  const grouped = existsSync('/proc/self/autogroup');
  expect(end.stdout).toMatch(grouped ? /^\/autogroup-\d+ nice 7\n7\n$/ : /^\n7\n$/);
});

test('nothing of it is left with the daemon, and 20 is refused', async () => {
  const daemon = await startDaemon();
  expect((await submitAndWait(daemon, command('nice'))).stdout).toBe('0\n');
  const refused = await http(daemon.url).post('/api/v1/tasks', command('true', [], { limits: { nice: 20 } }));
  expect(refused.body.error.message).toContain('limits.nice: must be 0 to 19');
});

test.each([
  ['v2', 0, 'cpu.weight.nice', '0'],
  ['v2', 19, 'cpu.weight.nice', '19'],
  ['v1', 0, 'cpu.shares', '1024'],
  ['v1', 10, 'cpu.shares', '110'],
  ['v1', 19, 'cpu.shares', '15'],
] as const)('on %s a cgroup of its own has the weight of nice %i', (version, nice, file, value) => {
  const cpu = { path: '/cpu', version };
  const track = { path: version === 'v2' ? '/cpu' : '/pids', kill_file: false };
  const settings = (limits: object) => {
    const spec = cgroupSpec({ kind: version, track, cpu }, 'n', { nice, ...limits });
    return [spec!.track, ...spec!.limits].flatMap((dir) => dir.settings);
  };
  expect(settings({ cpu_millis: 1000 })).toContainEqual([file, value]);
  // On v1 a task without a share of the CPU stays where the daemon is, and is weighed with all others.
  expect(settings({})).toEqual(version === 'v2' ? [[file, value]] : []);
});
