import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { execgo, http, script, startDaemon, submit, submitAndWait, tempDir } from '../harness/index.js';
import { kill, python, reachableDataDir } from './support.js';

const asNobody = (more: string[] = []) =>
  startDaemon({ dataDir: reachableDataDir(), flags: ['--task-user', 'nobody', ...more] });

const ME = 'id -un; id -G; echo $HOME $USER; grep NoNewPrivs /proc/self/status; stat -c %U:%a . ; pwd';

describe.each(['libc', 'execa'])('with the %s launcher', (launcher) => {
  test('a task is that user, in a workspace of its own', async () => {
    const daemon = await asNobody(['--launcher', launcher]);
    const variants = [
      {},
      { limits: { memory_bytes: 500_000_000, pids_max: 50 } },
      { sandbox: { profile: 'linux_sandbox' } },
      { sandbox: { workspace_subdir: 'a/b' } },
    ];
    for (const more of variants) {
      const end = await submitAndWait(daemon, script(ME, more));
      expect(end.stderr).toBe('');
      const lines = end.stdout.trimEnd().split('\n');
      expect(lines.slice(0, 5)).toEqual([
        'nobody',
        '65534',
        '/nonexistent nobody',
        'NoNewPrivs:\t1',
        'nobody:700',
      ]);
      expect(lines[5]).toMatch(/\/workspace(\/a\/b)?$/);
      expect(end.execution_plan?.effective_sandbox.user).toBe('nobody');
    }
  });
});

test('it writes its workspace by relative and by absolute path, and reads and runs its script', async () => {
  const daemon = await asNobody();
  const end = await submitAndWait(daemon, {
    execution: {
      kind: 'script',
      interpreter: ['/bin/sh'],
      script: 'echo a >a && echo b >"$PWD/b" && mkdir -p c/d && cat a b && test -x "$0" && tail -n 1 "$0"',
    },
    sandbox: { workspace_subdir: 'sub' },
  });
  expect(end).toMatchObject({ status: 'success', stdout: expect.stringMatching(/^a\nb\necho a >a/) });
  expect(statSync(join(end.artifacts.task_dir, 'workspace/sub/a')).uid).toBe(65_534);
});

test('it can open its standard streams by name, with limits, in namespaces and without', async () => {
  const daemon = await asNobody();
  for (const more of [
    {},
    { limits: { memory_bytes: 500_000_000, pids_max: 50, cpu_time_sec: 50 } },
    { sandbox: { profile: 'linux_sandbox' } },
  ]) {
    const text =
      'echo a; echo b >/dev/stdout; echo c >/dev/stderr; stat -Lc %u:%g:%a /dev/stdout /dev/stderr';
    const end = await submitAndWait(daemon, script(text, more));
    expect([end.stdout, end.stderr]).toEqual(['a\nb\n65534:65534:600\n65534:65534:600\n', 'c\n']);
  }
});

test('it cannot read secrets, nor write what is not its own', async () => {
  const daemon = await asNobody();
  const other = await submitAndWait(daemon, script('umask 077; echo secret >mine'));
  const id = 'attacker';
  const own = join(daemon.dataDir, 'tasks', id);
  const unreadable = [
    daemon.dataDir,
    ...[
      'runtime.db',
      'runtime.db-wal',
      'runtime.db-shm',
      'daemon.lock',
      'daemon.json',
      'supervisor',
      'trash',
      'tasks',
    ].map((name) => join(daemon.dataDir, name)),
    ...['', 'request.json', 'stdout.log', 'stderr.log'].map((name) => join(own, name)),
    ...['request.json', 'result.json', 'stdout.log'].map((name) => join(other.artifacts.task_dir, name)),
    `/proc/${daemon.pid}/environ`,
    `/proc/${daemon.supervisorPid()}/environ`,
    `/proc/${daemon.supervisorPid()}/fd`,
  ];
  const unwritable = [
    ...unreadable,
    join(own, 'script.sh'),
    join(own, 'new-file'),
    join(daemon.dataDir, 'tasks', 'new-task'),
    '/etc/execgo-test',
    `/proc/${daemon.supervisorPid()}/oom_score_adj`,
  ];
  const attack = `import json, os, signal
got = []
def attempt(what, action):
  try:
    action()
    got.append(what)
  except OSError: pass
for path in json.loads(os.environ["UNREADABLE"]):
  attempt("read " + path, lambda: os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1))
for path in json.loads(os.environ["UNWRITABLE"]):
  attempt("write " + path, lambda: open(path, "ab").close())
  attempt("remove " + path, lambda: os.rename(path, path + ".gone"))
  attempt("chmod " + path, lambda: os.chmod(path, 0o777))
for pid in json.loads(os.environ["PIDS"]):
  attempt("signal %d" % pid, lambda: os.kill(pid, 0))
attempt("become root", lambda: os.setuid(0))
attempt("protect itself", lambda: os.write(os.open("/proc/self/oom_score_adj", os.O_WRONLY), b"-1"))
for root, dirs, files in os.walk("/sys/fs/cgroup"):
  if "cgroup.procs" in files and os.access(os.path.join(root, "cgroup.procs"), os.W_OK): got.append("cgroup " + root)
attempt("outside", lambda: os.mkdir(os.path.join(os.getcwd(), "..", "beside")))
print(json.dumps(got))`;
  const end = await submitAndWait(daemon, {
    task_id: id,
    execution: {
      kind: 'script',
      interpreter: ['python3'],
      script: attack,
      env: {
        UNREADABLE: JSON.stringify(unreadable),
        UNWRITABLE: JSON.stringify(unwritable),
        PIDS: JSON.stringify([daemon.pid, daemon.supervisorPid(), 1]),
      },
    },
  });
  expect(end.stderr).toBe('');
  expect(JSON.parse(end.stdout)).toEqual([]);
});

test('a set-user-id program gives nothing back, and what a request names does not act before the switch', async () => {
  const daemon = await asNobody();
  const end = await submitAndWait(daemon, {
    execution: {
      kind: 'script',
      script:
        'su -c id root </dev/null >/dev/null 2>&1 && echo root; env | grep -c "^LD_PRELOAD=/no/such"; id -un',
      env: { LD_PRELOAD: '/no/such.so', BASH_ENV: '/no/such', ENV: '/no/such' },
    },
  });
  expect(end.stdout).toBe('1\nnobody\n');
});

test('the directories let the task user’s group pass and nobody else; without one they are closed again', async () => {
  const daemon = await asNobody();
  const end = await submitAndWait(daemon, { ...script('true'), task_id: 't' });
  const modes = () =>
    ['', 'tasks', 'tasks/t', 'supervisor', 'trash'].map((dir) => {
      const { mode, uid, gid } = statSync(join(daemon.dataDir, dir));
      return [(mode & 0o777).toString(8), uid, gid];
    });
  expect(modes().slice(0, 3)).toEqual(Array(3).fill(['710', 0, 65_534]));
  expect(
    modes()
      .slice(3)
      .map(([mode]) => mode),
  ).toEqual(['700', '700']);
  const script_ = statSync(end.artifacts.script_path!);
  expect([(script_.mode & 0o777).toString(8), script_.uid, script_.gid]).toEqual(['750', 0, 65_534]);
  await daemon.restart({ flags: [] });
  expect(modes()[0]?.[0]).toBe('700');
  expect((await submitAndWait(daemon, script('id -u'))).stdout).toBe('0\n');
});

test('who cannot get to the data directory, is refused at submit, in either mode', async () => {
  const closed = join(tempDir(), 'data');
  mkdirSync(closed);
  chmodSync(closed, 0o700);
  const daemon = await startDaemon({ dataDir: join(closed, 'data'), flags: ['--task-user', 'nobody'] });
  const reason = expect.stringContaining('cannot enter');
  const refused = await http(daemon.url).post('/api/v1/tasks', script('id'));
  expect(refused.body.error).toMatchObject({ code: 'unsupported_capability', message: reason });
  const { warnings } = (await http(daemon.url).get('/api/v1/runtime/capabilities')).body;
  expect(warnings).toContainEqual(reason);
});

test('a user that does not exist keeps the daemon from starting, and nothing is made', async () => {
  const dataDir = join(tempDir(), 'data');
  const { code, stderr } = await execgo(['serve', '--data-dir', dataDir, '--task-user', 'no-such-user']);
  expect([code, existsSync(dataDir)]).toEqual([1, false]);
  expect(stderr).toContain('--task-user: there is no user "no-such-user" here');
});

test('a hostile task of that user is killed like any other', async () => {
  const daemon = await asNobody(['--termination-grace-ms', '300']);
  const id = await submit(
    daemon,
    python(
      'import os, time\nif os.fork() == 0:\n  os.setsid()\n  os.execve("/bin/sleep", ["sleep", "600"], {})\ntime.sleep(600)',
    ),
  );
  expect((await kill(daemon, id)).status).toBe('cancelled');
});
