import { expect, test } from 'vitest';
import { command, http, script, startDaemon, submit, submitAndWait } from '../harness/index.js';
import { kill, python, reachableDataDir, status, submitAndSee } from './support.js';

const BOMB = `import os
print("up", flush=True)
while True:
  try:
    os.fork()
  except OSError: pass`;

/** Forks until it may not, and says how many processes there were. */
const COUNT = `import os, time
n = 1
try:
  while n < 100:
    if os.fork() == 0: time.sleep(60)
    n += 1
except OSError: pass
print(n)`;

test('a fork bomb stays within its limit, disturbs nobody and is gone at a kill', async () => {
  const daemon = await startDaemon({ flags: ['--termination-grace-ms', '300'] });
  const bomb = await submitAndSee(daemon, python(BOMB, { limits: { pids_max: 50 } }), 'up');
  const neighbour = await submitAndWait(daemon, script('for i in 1 2 3; do /bin/echo $i; done'));
  expect(neighbour.stdout).toBe('1\n2\n3\n');
  for (let i = 0; i < 50; i++) {
    const { usage } = await status(daemon, bomb);
    expect(usage?.processes ?? 0).toBeLessThanOrEqual(50);
  }
  const inside = await submit(
    daemon,
    python(BOMB, { limits: { pids_max: 20 }, sandbox: { profile: 'linux_sandbox' } }),
  );
  expect((await kill(daemon, inside)).status).toBe('cancelled');
  expect(await kill(daemon, bomb)).toMatchObject({ status: 'cancelled', exit_signal: expect.any(Number) });
  const events = await http(daemon.url).get(`/api/v1/tasks/${bomb}/events`);
  expect(events.body.at(-1).data.survivors).toBeUndefined();
});

test.each([{}, { sandbox: { profile: 'linux_sandbox' } }])('the limit is what it says: %j', async (more) => {
  const daemon = await startDaemon();
  const end = await submitAndWait(daemon, python(COUNT, { limits: { pids_max: 7 }, ...more }));
  expect(end).toMatchObject({ status: 'success', stdout: '7\n' });
});

test('without a cgroup processes are not counted: adaptive says so, strict refuses', async () => {
  const daemon = await startDaemon({ cgroup: false });
  const limits = { limits: { pids_max: 7 } };
  const end = await submitAndWait(daemon, command('true', [], limits));
  expect(end.execution_plan).toMatchObject({
    degraded: true,
    fallback_reasons: [expect.stringContaining('pids_max is not enforced')],
    resource_enforcement: { pids_enforced: false, pids_mechanism: 'none' },
  });
  const strict = command('true', [], { ...limits, policy: { capability_mode: 'strict' } });
  const refused = await http(daemon.url).post('/api/v1/tasks', strict);
  expect([refused.status, refused.body.error.code]).toEqual([400, 'unsupported_capability']);
});

test('without a cgroup, but as a user of its own, the processes of that user are counted', async () => {
  const flags = ['--task-user', '64999'];
  const daemon = await startDaemon({ cgroup: false, dataDir: reachableDataDir(), flags });
  const end = await submitAndWait(daemon, python(COUNT, { limits: { pids_max: 7 } }));
  expect(end).toMatchObject({
    stdout: '7\n',
    execution_plan: {
      fallback_reasons: [expect.stringContaining('pids_max counts all processes of user 64999')],
      resource_enforcement: { pids_enforced: true, pids_mechanism: 'rlimit' },
    },
  });
});
