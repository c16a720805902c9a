import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blockDevices } from '../../src/sandbox/cgroup/block-devices.js';
import { cgroupSpec } from '../../src/sandbox/cgroup/cgroup-layout.js';
import { killCgroup } from '../../src/sandbox/cgroup/cgroup.js';
import { resolvePlan } from '../../src/sandbox/plan.js';
import type { HostCapabilities } from '../../src/task/capabilities.js';
import { ableHost, request } from '../sandbox/hosts.js';
import {
  type Daemon,
  http,
  processesOf,
  script,
  startDaemon,
  submitAndWait,
  tempDir,
  waitFor,
} from '../harness/index.js';
import { kill, python, submitAndSee } from './support.js';

const MIB = 2 ** 20;
const LIMITS = { io_read_bps: MIB, io_write_bps: MIB };

/** Writes 2 MiB past the page cache, reads it back, and says how many milliseconds each took. */
const COPY = `now() { date +%s%3N; }
a=$(now); dd if=/dev/zero of=big bs=256k count=8 oflag=direct 2>/dev/null || exit 1
b=$(now); dd if=big of=/dev/null bs=256k iflag=direct 2>/dev/null || exit 1
echo $((b - a)) $(($(now) - b))`;

/** Whether this host can limit what goes to the disk that tasks write to here. */
async function holds(daemon: Daemon): Promise<boolean> {
  const { body } = await http(daemon.url).get('/api/v1/runtime/capabilities');
  const major = Math.floor(statSync(daemon.dataDir).dev / 256);
  return body.resources.io_limit && major > 0;
}

test('who reads and writes more is slowed down, or the plan says that nothing does it', async () => {
  const daemon = await startDaemon();
  const end = await submitAndWait(daemon, script(COPY, { limits: LIMITS }));
  const told = end.execution_plan?.resource_enforcement;
  if (await holds(daemon)) {
    expect(told).toMatchObject({
      io_read_enforced: true,
      io_read_scope: 'per_device',
      io_write_enforced: true,
    });
    const [wrote = 0, read = 0] = end.stdout.split(' ').map(Number);
    expect(wrote).toBeGreaterThan(1000);
    expect(read).toBeGreaterThan(1000);
  } else if (told?.io_read_enforced === false) {
    expect(end.execution_plan?.fallback_reasons?.join()).toContain('io_read_bps is not enforced');
  }
  const without = await startDaemon({ cgroup: false });
  expect(await submitAndWait(without, script('exit 0', { limits: LIMITS }))).toMatchObject({
    execution_plan: {
      degraded: true,
      fallback_reasons: [
        expect.stringContaining('io_read_bps is not enforced'),
        expect.stringContaining('io_write_bps is not enforced'),
      ],
      resource_enforcement: { io_read_mechanism: 'none', io_write_mechanism: 'none' },
    },
  });
});

test('who waits for its turn at the disk, for hours, is killed at once', async () => {
  const daemon = await startDaemon({ flags: ['--termination-grace-ms', '100'] });
  const write = `import os
file = os.open("big", os.O_CREAT | os.O_WRONLY)
os.write(file, bytes(8 << 20))
print("up", flush=True)
os.fsync(file)
while True: os.sched_yield()`;
  const id = await submitAndSee(daemon, python(write, { limits: { io_write_bps: 1024 } }), 'up');
  const states = () => processesOf(id).map(({ pid }) => stateOf(pid));
  if (await holds(daemon))
    await waitFor(() => states().includes('D'), { what: 'a task that waits for the disk' });
  expect((await kill(daemon, id)).status).toBe('cancelled');
});

function stateOf(pid: number): string {
  try {
    return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}

test.each([
  ['v2', true, []],
  ['v2', false, ['io_write_bps']],
  ['v1', true, ['io_write_bps']],
  ['hybrid', true, ['io_write_bps']],
] as const)('on cgroup %s, memory limits: %s, less is held of %j', (cgroup, memory_limit, less) => {
  const host: HostCapabilities = ableHost({ cgroup, memory_limit });
  const defaults = { capabilityMode: 'adaptive', wallTimeMs: 0 } as const;
  const { plan } = resolvePlan(request({ limits: LIMITS }), host, defaults);
  expect(plan.fallback_reasons ?? []).toEqual(
    less.map((name) => expect.stringContaining(`${name} counts what the task waits for`)),
  );
  expect(plan.resource_enforcement).toMatchObject({ io_read_enforced: true, io_write_enforced: true });
});

test.each([
  [
    'v2',
    [
      ['io.max', '8:0 rbps=1'],
      ['io.max', '8:16 rbps=1'],
      ['io.max', '8:0 wbps=2'],
      ['io.max', '8:16 wbps=2'],
    ],
  ],
  [
    'v1',
    [
      ['blkio.throttle.read_bps_device', '8:0 1'],
      ['blkio.throttle.read_bps_device', '8:16 1'],
      ['blkio.throttle.write_bps_device', '8:0 2'],
      ['blkio.throttle.write_bps_device', '8:16 2'],
    ],
  ],
] as const)('on %s it is set for each device', (version, settings) => {
  const layout = { kind: version, track: { path: '/cg', kill_file: false }, io: { path: '/io', version } };
  const spec = cgroupSpec(layout, 'n', { io_read_bps: 1, io_write_bps: 2 }, () => ['8:0', '8:16']);
  expect(spec?.limits).toEqual([{ path: '/io/n', settings }]);
});

test.each([
  ['io.max', '8:0 rbps=1 wbps=max riops=max wiops=max\n', '8:0 rbps=max wbps=max'],
  ['blkio.throttle.read_bps_device', '8:0 1\n', '8:0 0'],
  ['blkio.throttle.write_bps_device', '8:0 1\n', '8:0 0'],
])('a kill lifts what %s holds up', (file, set, lifted) => {
  const path = tempDir();
  writeFileSync(join(path, 'cgroup.procs'), '');
  writeFileSync(join(path, file), set);
  killCgroup({ track: { path, settings: [] }, kill_file: false, limits: [] });
  expect(readFileSync(join(path, file), 'utf8')).toBe(lifted);
});

test('the devices are those that something can be written to', () => {
  const dir = tempDir();
  const device = (name: string, files: Record<string, string>) => {
    mkdirSync(join(dir, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, name, file), `${text}\n`);
  };
  device('gone', {});
  device('loop0', { dev: '7:0', size: '0', hidden: '0' });
  device('nvme0c0n1', { dev: '259:1', size: '8', hidden: '1' });
  expect(() => blockDevices(dir)).toThrow('there is no block device');
  device('sda', { dev: '8:0', size: '8', hidden: '0' });
  expect(blockDevices(dir)).toEqual(['8:0']);
});
