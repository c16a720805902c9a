import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  http,
  isAlive,
  processesOf,
  script,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
  waitGone,
} from '../harness/index.js';
import { execgo } from '../cli/execgo.js';
import { submitAndSee } from './support.js';

const MIB = 2 ** 20;
const limited = (text: string, disk_bytes: number, more: object = {}) =>
  script(text, { limits: { disk_bytes, wall_time_ms: 120_000 }, ...more });
/** More than a look, the pause after it and the next look take. */
const WHILE_LOOKED_AT = 'sleep 2.5';

test('a task that takes more of the disk is ended at once, with all its processes', async () => {
  const daemon = await startDaemon();
  const text =
    'trap "" TERM; sleep 600 & dd if=/dev/zero of=big bs=1M count=3 2>/dev/null; echo written; wait';
  const task = await submitAndWait(
    daemon,
    limited(text, MIB, { policy: { capability_mode: 'strict' } }),
    60_000,
  );
  expect(task).toMatchObject({
    status: 'failed',
    cause: 'disk',
    exit_signal: 9,
    error: { code: 'disk_limit_exceeded' },
    execution_plan: {
      degraded: false,
      resource_enforcement: { disk_bytes: MIB, disk_enforced: true, disk_mechanism: 'measured' },
    },
  });
  expect(task.error?.message).toMatch(
    /^task exceeded disk_bytes: 1048576 bytes; its workspace took \d+ or more$/,
  );
  expect(processesOf(task.task_id)).toEqual([]);
  expect((await http(daemon.url).get('/api/v1/tasks?cause=disk')).body.tasks).toHaveLength(1);

  const run = await execgo(['run', '--workspace', '--disk', '64K', '--', 'sh', '-c', text], {
    server: daemon.url,
  });
  expect([run.code, run.stderr]).toEqual([
    137,
    expect.stringContaining('task exceeded --disk: 65536 bytes; its workspace took') as string,
  ]);
});

test('a task that stays below goes on, whatever it makes, links, moves and removes', async () => {
  const daemon = await startDaemon();
  const inParallel = await Promise.all(
    [
      // Holes take no space, and a file is one however many names it has.
      `truncate -s 10G holes; dd if=/dev/zero of=file bs=300K count=1 2>/dev/null
       for i in 1 2 3 4 5 6 7 8 9; do ln file name$i; done; ${WHILE_LOOKED_AT}`,
      // What it leads to is elsewhere.
      `ln -s / root; ln -s /proc/self/fd fds; mkdir d; ln -s .. d/up; mkfifo pipe; ${WHILE_LOOKED_AT}`,
      // In all it writes 12 MiB.
      `for i in $(seq 20); do dd if=/dev/zero of=part bs=600K count=1 2>/dev/null; sleep 0.1; rm part; done`,
      // What is moved may be met twice.
      `mkdir a b; dd if=/dev/zero of=a/file bs=700K count=1 2>/dev/null
       end=$(($(date +%s) + 3)); while [ $(date +%s) -lt $end ]; do mv a/file b/file; mv b/file a/file; done`,
      `mkdir closed; dd if=/dev/zero of=closed/file bs=300K count=1 2>/dev/null; chmod 0 closed; ${WHILE_LOOKED_AT}; chmod 700 closed`,
    ].map(async (text) => submitAndWait(daemon, limited(text, MIB), 60_000)),
  );
  for (const task of inParallel) expect(task).toMatchObject({ status: 'success', cause: 'exit' });
});

test.each([
  ['many small files', `for i in $(seq 600); do echo $i > "file$i"; done; sleep 600`],
  [
    'a file far below',
    `p=.; for i in $(seq 100); do p=$p/d; done; mkdir -p $p; head -c 3M /dev/zero > $p/f; sleep 600`,
  ],
  ['too many levels', `for i in $(seq 200); do mkdir d; cd d; done; sleep 600`],
  ['many empty directories', `mkdir -p $(seq -f "d%g" 600); sleep 600`],
  ['what is moved all the time', `mkdir a; head -c 3M /dev/zero > a/f; while :; do mv a b; mv b a; done`],
])('%s cannot hide what they take', async (what, text) => {
  const daemon = await startDaemon();
  // Where a directory takes no space, these take none.
  const task = await submitAndWait(
    daemon,
    limited(text, 600 * 1024, { limits: { disk_bytes: 600 * 1024, wall_time_ms: 30_000 } }),
    60_000,
  );
  if (what === 'many empty directories' && task.cause === 'timeout') return;
  expect([task.cause, task.error?.code]).toEqual(['disk', 'disk_limit_exceeded']);
  if (what === 'too many levels') expect(task.error?.message).toContain('too deep to be measured');
});

test('it holds without a daemon, and the next one says why the task has ended', async () => {
  const daemon = await startDaemon();
  const text = 'echo ready; while [ ! -e go ]; do sleep 0.05; done; head -c 3M /dev/zero > big; sleep 600';
  const id = await submitAndSee(daemon, limited(text, MIB), 'ready');
  const { pid } = (await http(daemon.url).get(`/api/v1/tasks/${id}`)).body;
  await daemon.kill();
  writeFileSync(join(daemon.dataDir, 'tasks', id, 'workspace', 'go'), '');
  await waitGone(pid);
  await daemon.restart();
  expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'failed', cause: 'disk' });
});

test('what was to be killed before is cancelled, and what is paused is ended once it goes on', async () => {
  const daemon = await startDaemon();
  const text =
    'trap "" TERM; echo ready; while [ ! -e go ]; do sleep 0.05; done; head -c 3M /dev/zero > big; sleep 600';
  const killed = await submitAndSee(daemon, limited(text, MIB), 'ready');
  await http(daemon.url).post(`/api/v1/tasks/${killed}/kill?grace_ms=600000`);
  writeFileSync(join(daemon.dataDir, 'tasks', killed, 'workspace', 'go'), '');
  expect(await waitForEnd(daemon, killed)).toMatchObject({ status: 'cancelled', cause: 'cancelled' });

  const paused = await submit(daemon, limited('echo ready; sleep 600', MIB));
  const { pid } = await waitFor(
    async () => {
      const { body } = await http(daemon.url).get(`/api/v1/tasks/${paused}`);
      return body.stdout === 'ready\n' && body.pid !== undefined ? body : undefined;
    },
    { what: 'the start' },
  );
  await http(daemon.url).post(`/api/v1/tasks/${paused}/pause?wait_ms=60000`);
  writeFileSync(join(daemon.dataDir, 'tasks', paused, 'workspace', 'big'), Buffer.alloc(3 * MIB));
  expect(isAlive(pid)).toBe(true);
  await http(daemon.url).post(`/api/v1/tasks/${paused}/resume`);
  expect(await waitForEnd(daemon, paused)).toMatchObject({ status: 'failed', cause: 'disk' });
});

test('what tasks name is reserved where there is a capacity or a quota', async () => {
  const daemon = await startDaemon({
    flags: ['--capacity-disk-bytes', String(10 * MIB), '--tenant-quota', 'small=slots:9,disk:1048576'],
  });
  const asks = async (disk_bytes: number, more: object = {}) =>
    (await http(daemon.url).post('/api/v1/tasks', limited('sleep 600', disk_bytes, more))).body;
  expect((await asks(11 * MIB)).error.message).toBe(
    'insufficient resources: disk_bytes 11534336 is more than the capacity of this machine, 10485760',
  );
  expect((await asks(2 * MIB, { control_context: { tenant: 'small' } })).error.message).toBe(
    'insufficient resources: disk_bytes 2097152 is more than the quota of tenant small, 1048576',
  );
  const { task_id: first } = await asks(6 * MIB);
  const { task_id: second } = await asks(5 * MIB);
  expect((await http(daemon.url).get(`/api/v1/tasks/${second}`)).body.waiting).toMatchObject({
    reason: 'capacity',
    detail: 'needs 5 MiB of disk; 4 MiB of 10 MiB are free',
  });
  const explained = await execgo(['explain', second], { server: daemon.url });
  expect(explained.stdout.toString()).toContain(`1 task holds the rest: ${first} (6.0 MiB)`);
  expect((await http(daemon.url).get('/api/v1/runtime/resources')).body).toMatchObject({
    capacity: { disk_bytes: 10 * MIB },
    available: { disk_bytes: 4 * MIB },
  });
});

test('a size that is none is refused', async () => {
  const daemon = await startDaemon();
  for (const disk_bytes of [0, -1, 1.5, '1M', {}]) {
    const { status, body } = await http(daemon.url).post(
      '/api/v1/tasks',
      script('true', { limits: { disk_bytes } }),
    );
    expect([status, body.error.message]).toEqual([400, expect.stringContaining('limits.disk_bytes')]);
  }
});
