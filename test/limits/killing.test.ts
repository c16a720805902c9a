import { describe, expect, test } from 'vitest';
import { BESIDE, PERL_BESIDE } from '../harness/beside.js';
import {
  type Daemon,
  http,
  listProcesses,
  processesOf,
  script,
  startDaemon,
  submitAndWait,
  waitFor,
} from '../harness/index.js';
import { kill, python, submitAndSee } from './support.js';

/** Sleeps under a name that is found again without environment or cgroup. */
const sleepers = (mark: string) => listProcesses().filter((p) => p.command === `sleep ${mark}`);
const survivors = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get(`/api/v1/tasks/${id}/events`)).body.at(-1).data.survivors;

let nextMark = 600_000 + (process.pid % 10_000) * 10;
const mark = () => String(nextMark++);

const IGNORE = 'import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n';
/** Each process lives for one fork only, in a session of its own: whoever lists them is too late. */
const HOP = `while True:
  try:
    if os.fork() != 0: os._exit(0)
    os.setsid()
  except OSError: pass`;

describe.each([
  ['with cgroups, libc', { cgroup: true, launcher: 'libc' }],
  ['without cgroups, libc', { cgroup: false, launcher: 'libc' }],
  ['with cgroups, execa', { cgroup: true, launcher: 'execa' }],
])('%s', (_name, { cgroup, launcher }) => {
  const start = () =>
    startDaemon({ cgroup, flags: ['--launcher', launcher, '--termination-grace-ms', '300'] });

  test('a kill ends who ignores TERM, who is stopped, and both', async () => {
    const daemon = await start();
    const stubborn = [
      script("trap '' TERM; echo up; while :; do sleep 0.05; done"),
      python('import os\nprint("up", flush=True)\nos.kill(os.getpid(), 19)'),
      python(`${IGNORE}print("up", flush=True)\nos.kill(os.getpid(), 19)`),
      python(`${IGNORE}print("up", flush=True)\nos.kill(os.getpid(), 19)`, {
        sandbox: { profile: 'linux_sandbox' },
      }),
    ];
    const ends = stubborn.map(async (request) => {
      const id = await submitAndSee(daemon, request, 'up');
      expect((await kill(daemon, id)).status).toBe('cancelled');
      expect(processesOf(id)).toEqual([]);
      expect(await survivors(daemon, id)).toBeUndefined();
    });
    await Promise.all(ends);
  });

  test('daemons of a task that hide from it do not outlive a kill', async () => {
    const daemon = await start();
    const name = mark();
    const hide = `import os, time
for _ in range(3):
  if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
      os.setsid()
      os.execve("/bin/sleep", ["sleep", "${name}"], {})
    os._exit(0)
  os.wait()
print("up", flush=True)
time.sleep(600)`;
    const id = await submitAndSee(daemon, python(hide), 'up');
    await waitFor(() => sleepers(name).length === 3, { what: 'the daemons of the task' });
    expect((await kill(daemon, id)).status).toBe('cancelled');
    await waitFor(() => sleepers(name).length === 0, { what: 'the end of the daemons of the task' });
  });

  test('what a task makes beside itself does not outlive it', async () => {
    const daemon = await start();
    const name = mark();
    const hide = `${BESIDE}
for env in ({}, os.environ):
  if beside() == 0:
    os.setsid()
    for fd in (0, 1, 2): os.close(fd)
    os.execve("/bin/sleep", ["sleep", "${name}"], env)`;
    const end = await submitAndWait(daemon, python(hide));
    expect(end).toMatchObject({ status: 'success' });
    expect(await survivors(daemon, end.task_id)).toBeUndefined();
    await waitFor(() => sleepers(name).length === 0, { what: 'the end of what was beside the task' });
  });

  test('who forks as fast as it can is gone when the task is terminal', async () => {
    const daemon = await start();
    for (const text of [
      `import os, time\nprint("up", flush=True)\nif os.fork(): time.sleep(600)\n${HOP}`,
      `${IGNORE}print("up", flush=True)\nfor _ in range(4):\n  if os.fork() == 0: break\nelse:\n  time.sleep(600)\n${HOP}`,
    ]) {
      const id = await submitAndSee(daemon, python(text), 'up');
      expect((await kill(daemon, id)).status).toBe('cancelled');
      expect(await survivors(daemon, id)).toBeUndefined();
      expect(processesOf(id)).toEqual([]);
    }
  });

  test('what is left after the leader’s own end goes at once, even when it holds stdout', async () => {
    const daemon = await start();
    const name = mark();
    const end = await submitAndWait(
      daemon,
      script(
        `setsid sh -c 'trap "" TERM HUP; while :; do sleep 0.05; done' & sleep ${name} & (setsid sleep ${name} &) & sleep 0.1; exit 3`,
      ),
    );
    expect(end).toMatchObject({ status: 'failed', cause: 'exit', exit_code: 3 });
    expect(processesOf(end.task_id)).toEqual([]);
    expect(sleepers(name)).toEqual([]);
    expect(await survivors(daemon, end.task_id)).toBeUndefined();
  });
});

test('the wall time is verified in the same way', async () => {
  const daemon = await startDaemon({ flags: ['--termination-grace-ms', '200'] });
  const text = `${IGNORE}print("up", flush=True)\nif os.fork(): time.sleep(600)\n${HOP}`;
  const end = await submitAndWait(daemon, python(text, { limits: { wall_time_ms: 300 } }));
  expect(end).toMatchObject({ status: 'failed', cause: 'timeout' });
  expect(processesOf(end.task_id)).toEqual([]);
});

test('in a pid namespace the end of the program is the end of all', async () => {
  const daemon = await startDaemon();
  const name = mark();
  const end = await submitAndWait(
    daemon,
    script(`setsid sleep ${name} & env -i setsid sleep ${name} & sleep 0.1; exit 4`, {
      sandbox: { profile: 'linux_sandbox' },
    }),
  );
  expect(end).toMatchObject({ cause: 'exit', exit_code: 4 });
  expect(sleepers(name)).toEqual([]);
});

test('who escapes before its leader is in a cgroup does not outlive its task, however old another is', async () => {
  const daemon = await startDaemon();
  const name = mark();
  const older = await submitAndSee(daemon, script('echo up; sleep 600'), 'up');
  // The sooner the second fork, the likelier the escape: a daemon without environment, streams, group and parent.
  const escape = `( (exec env -i setsid sleep ${name} >/dev/null 2>&1 </dev/null) & ) & exit 0`;
  // The same for what never had the leader for a parent.
  const beside = `exec perl -e 'if (${PERL_BESIDE} == 0) { close $_ for (STDIN, STDOUT, STDERR); %ENV = (); exec "/usr/bin/setsid", "-f", "sleep", "${name}" }'`;
  for (let i = 0; i < 20; i++)
    expect(await submitAndWait(daemon, script(i % 2 === 0 ? escape : beside))).toMatchObject({
      exit_code: 0,
    });
  await waitFor(() => sleepers(name).length === 0, { what: 'the end of all who escaped' });
  expect((await kill(daemon, older)).status).toBe('cancelled');
});
