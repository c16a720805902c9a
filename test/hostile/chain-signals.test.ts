import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Daemon } from '../harness/daemon.js';
import {
  http,
  isAlive,
  processesOf,
  script,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';
import { kill, python, submitAndSee } from '../limits/support.js';
import { startVictim, USER, WAYS } from './chain-support.js';

/** Does something to every process of this machine but its own, again and again, until there is a file `end`. */
const toAll = (preparation: string, action: string) =>
  python(`import ctypes, json, os, resource, signal
libc = ctypes.CDLL(None, use_errno=True)
got, hit = set(), 0
def uids(pid):
  return next(l.split()[1:] for l in open(f"/proc/{pid}/status") if l.startswith("Uid:"))
def pipes(pid):
  # By its name in /proc he may not open what root has made; who may trace may take a descriptor all the same.
  process = os.pidfd_open(pid)
  taken = [libc.syscall(438, process, n, 0) for n in (1, 2, 3, 10, 11)]
  os.close(process)
  if max(taken) < 0: raise OSError()
  return [fd for fd in taken if fd >= 0]
def trace(pid):
  if libc.ptrace(0x4206, pid, None, None) != 0: raise OSError()
  libc.ptrace(0x4207, pid, None, None)
${preparation}
print("up", flush=True)
while not os.path.exists("end"):
  for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    if pid in (1, os.getpid(), os.getppid()): continue
    try:
      before = uids(pid)
      ${action}
      hit += 1
      # One that becomes the user meanwhile is his.
      if before == ["0"] * 4 and uids(pid) == before: got.add(open(f"/proc/{pid}/cmdline").read()[:200])
    except (OSError, ValueError): pass
print(json.dumps([sorted(got), hit]), flush=True)`);

const ATTACKS: Record<string, [preparation: string, action: string]> = {
  SIGKILL: ['', 'os.kill(pid, signal.SIGKILL)'],
  SIGSTOP: ['', 'os.kill(pid, signal.SIGSTOP)'],
  'SIGSTOP and SIGCONT, SIGHUP and SIGUSR1': ['', 'for n in (19, 18, 1, 10): os.kill(pid, n)'],
  'a trace that holds it': ['', 'trace(pid)'],
  'limits that let it do nothing': [
    'LIMITS = [getattr(resource, "RLIMIT_" + n) for n in ("AS", "NOFILE", "NPROC", "FSIZE", "STACK")]',
    'for limit in LIMITS: resource.prlimit(pid, limit, (0, 0))',
  ],
  'its pipes held open, and lies on its report': [
    '',
    `for fd in pipes(pid):
        try: os.write(fd, b"cwd ENOENT\\nexec 127\\n\\0\\xff" * 99)
        finally:
          if len(os.listdir("/proc/self/fd")) > 900: os.close(fd)`,
  ],
};

/** Every way through the chain, with ends that nothing but the task's own limits brings. */
const victims = (seconds: number) =>
  WAYS.flatMap((way) => [
    script(`sleep ${seconds}; echo done`, {
      ...way,
      limits: { ...(way as { limits?: object }).limits, wall_time_ms: 700 },
    }),
  ]);

async function expectUnharmed(daemon: Daemon, supervisor: number): Promise<void> {
  expect((await submitAndWait(daemon, script('id -u'))).stdout).toBe(`${USER}\n`);
  expect([isAlive(supervisor), daemon.supervisorPid()]).toEqual([true, supervisor]);
  expect((await http(daemon.url).get('/api/v1/runtime/resources')).body.reserved.task_slots).toBe(0);
}

test.each(Object.entries(ATTACKS))(
  'what another task of his does to a chain (%s) ends that task alone, with the truth',
  async (_name, [preparation, action]) => {
    const { daemon } = await startVictim(['--termination-grace-ms', '200']);
    const supervisor = daemon.supervisorPid();
    const striker = await submitAndSee(daemon, toAll(preparation, action), 'up');
    const ids = await Promise.all([...victims(0.1), ...victims(600)].map((each) => submit(daemon, each)));
    const killed = await Promise.all(
      victims(600).map(async (each) => {
        const id = await submit(daemon, { ...each, limits: {} });
        await http(daemon.url).post(`/api/v1/tasks/${id}/kill?grace_ms=100`);
        return id;
      }),
    );
    for (const id of [...ids, ...killed]) {
      const end = await waitForEnd(daemon, id, 60_000);
      const short = ids.indexOf(id) < WAYS.length && ids.includes(id);
      const told = `${end.cause} ${end.exit_code ?? ''} ${end.exit_signal ?? ''} ${end.error?.message ?? ''}`;
      expect(['exit', 'signal', 'timeout', 'sandbox', 'launch', 'cancelled'], told).toContain(end.cause);
      // Nobody but who asked for it cancels, and what says done has been so.
      expect(end.cause === 'cancelled', told).toBe(killed.includes(id) && end.cause === 'cancelled');
      if (end.cause === 'exit' && end.exit_code === 0 && short) expect(end.stdout, told).toContain('done\n');
      if (end.cause === 'sandbox')
        expect(end.error?.message, told).toMatch(/^cannot launch "\/bin\/sh": .../);
      expect(processesOf(id), told).toEqual([]);
    }
    writeFileSync(join(daemon.dataDir, 'tasks', striker, 'workspace/end'), '');
    const { stdout, stderr } = await waitForEnd(daemon, striker);
    expect(stderr).toBe('');
    const [got, hit] = JSON.parse(stdout.split('\n')[1] ?? '') as [string[], number];
    expect(got).toEqual([]);
    expect(hit).toBeGreaterThan(0);
    await expectUnharmed(daemon, supervisor);
  },
);

test('what a task does to its own chain and supervisor ends the task at most', async () => {
  const { daemon } = await startVictim(['--termination-grace-ms', '200']);
  const supervisor = daemon.supervisorPid();
  const texts = ['kill -STOP 0', 'kill -KILL -1', 'kill -STOP $PPID; kill -KILL 1; kill -STOP -1'];
  for (const way of WAYS)
    for (const text of texts) {
      const limits = { ...(way as { limits?: object }).limits, wall_time_ms: 500 };
      const end = await submitAndWait(daemon, script(`${text}; exit 7`, { ...way, limits }));
      expect([...(text.includes('KILL') ? ['signal'] : []), 'timeout', 'exit'], text).toContain(end.cause);
      expect(end.exit_code ?? 7, text).toBe(7);
      expect(processesOf(end.task_id)).toEqual([]);
    }
  await expectUnharmed(daemon, supervisor);
});

test('one that he stops and traces is killed when it is asked for', async () => {
  const { daemon } = await startVictim(['--termination-grace-ms', '200']);
  const ids = await Promise.all(
    WAYS.map((way) => submitAndSee(daemon, script('echo up; sleep 600', way), 'up')),
  );
  const tracer = await submitAndSee(daemon, toAll('', 'trace(pid)'), 'up');
  const left = (id: string) => processesOf(id).map(({ pid }) => pid);
  for (const id of ids) await waitFor(() => left(id).some(isTraced), { what: 'a trace' });
  for (const id of ids) expect((await kill(daemon, id)).status).toBe('cancelled');
  await kill(daemon, tracer, 'grace_ms=0');
  for (const id of ids) await waitFor(() => left(id).length === 0);
});

function isTraced(pid: number): boolean {
  return /^TracerPid:\s+[1-9]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}
