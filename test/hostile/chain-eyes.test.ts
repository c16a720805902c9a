import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { processesOf, script, submit, submitAndWait, waitForEnd } from '../harness/index.js';
import { kill, python, submitAndSee } from '../limits/support.js';
import { NAMESPACES, playground, startVictim, USER, WAYS } from './chain-support.js';

/** Looks at every process that appears until told to end, and tells what of root's it got at, and what it saw in `ps`. */
const SPY = `import ctypes, json, os, time
libc = ctypes.CDLL(None, use_errno=True)
got, seen, tried = set(), set(), 0
def uids(pid):
  return next(l.split()[1:] for l in open(f"/proc/{pid}/status") if l.startswith("Uid:"))
def seize(pid):
  # By a child, with whose end the traced one goes on: a process that has just become this user's may be traced.
  child = os.fork()
  if child == 0: os._exit(0 if libc.ptrace(0x4206, pid, None, None) == 0 else 1)
  if os.waitpid(child, 0)[1] != 0: raise OSError()
def first_byte(path):
  # Some of a process that has just ended can be opened by everybody, and is empty.
  if not open(path, "rb").read(1): raise OSError()
def attempt(pid, what, action):
  try: action()
  except OSError: return
  try:
    if uids(pid) == ["0"] * 4: got.add(what)
  except OSError: pass
print("up", flush=True)
while not os.path.exists("end"):
  for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
      words = open(f"/proc/{pid}/cmdline", "rb").read()
      if b"s3" + b"cret" in words: seen.add(words.decode(errors="replace")[:300])
      if uids(pid) != ["0"] * 4 or b"execgo" not in words: continue
    except OSError: continue
    tried += 1
    for name in ("environ", "mem", "maps", "auxv", "stack"):
      attempt(pid, "read " + name, lambda: first_byte(f"/proc/{pid}/{name}"))
    attempt(pid, "list fd", lambda: os.listdir(f"/proc/{pid}/fd"))
    for name in ("cwd", "root", "exe"): attempt(pid, "follow " + name, lambda: os.readlink(f"/proc/{pid}/{name}"))
    for signal in (0, 18): attempt(pid, "signal", lambda: os.kill(int(pid), signal))
    attempt(pid, "trace", lambda: seize(int(pid)))
print(json.dumps([sorted(got), sorted(seen), tried]), flush=True)`;

test('he gets at nothing of a chain that is still root’s, and sees neither variables nor scripts', async () => {
  const { daemon } = await startVictim();
  const spy = await submitAndSee(daemon, python(SPY), 'up');
  const env = { TOKEN: 's3cret', LC_ALL: 's3cret', LANGUAGE: 's3cret' };
  const victims = WAYS.flatMap((way) =>
    Array.from({ length: 4 }, () =>
      submit(daemon, {
        execution: { kind: 'script', script: 'sleep 0.3 # s3cret', env },
        ...way,
      }),
    ),
  );
  for (const id of await Promise.all(victims)) expect((await waitForEnd(daemon, id)).status).toBe('success');
  writeFileSync(join(daemon.dataDir, 'tasks', spy, 'workspace/end'), '');
  const end = await waitForEnd(daemon, spy);
  const [got, seen, tried] = JSON.parse(end.stdout.split('\n')[1] ?? '[]') as [string[], string[], number];
  expect({ got, seen }).toEqual({ got: [], seen: [] });
  expect(tried).toBeGreaterThan(0);
});

test('nothing with root’s rights has a variable of his', async () => {
  const { daemon, base } = await startVictim();
  const dir = playground(base);
  // Whatever is loaded with these leaves files that say whose process it was.
  const loader = { LD_DEBUG: 'all', LD_DEBUG_OUTPUT: join(dir, 'loaded') };
  const env = {
    ...loader,
    LC_ALL: '../../evil',
    LANGUAGE: dir,
    NLSPATH: `${dir}/%N`,
    GCONV_PATH: dir,
    TZ: `${dir}/tz`,
    IFS: 'x',
    ENV: dir,
    PS4: '$(id)',
    'BASH_FUNC_exec%%': '() { :; }',
    EXECGO_ENV_0: 'PATH=/evil',
  };
  for (const way of [...WAYS, { sandbox: { workspace_subdir: 'made' } }]) {
    const request = { execution: { kind: 'script', script: 'echo up; sleep 600', env }, ...way };
    const id = await submitAndSee(daemon, request, 'up');
    const roots = processesOf(id).filter(({ pid }) => statusUid(pid) === 0);
    const names = roots.flatMap(({ env: theirs }) => [...theirs.keys()]);
    const known = /^(LC_ALL|PWD|EXECGO_(TASK_(ID|SOCKET|TOKEN)|LAUNCH|ATTEMPT|ENV__\d+_?))$/;
    expect(names.filter((name) => !known.test(name))).toEqual([]);
    if (way === NAMESPACES) expect(roots.length).toBeGreaterThan(0);
    await kill(daemon, id, 'grace_ms=0');
  }
  const files = readdirSync(dir);
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((name) => statSync(join(dir, name)).uid !== USER)).toEqual([]);
});

test('the limits of a task are not those of the processes that root keeps for it', async () => {
  const { daemon } = await startVictim(['--disable-cgroup']);
  const limits = { cpu_time_sec: 100, memory_bytes: 1 << 29, pids_max: 1000 };
  const id = await submitAndSee(daemon, script('echo up; sleep 600', { ...NAMESPACES, limits }), 'up');
  const names = ['Max cpu time', 'Max address space', 'Max processes'];
  const limitsOf = (pid: number) => {
    const lines = readFileSync(`/proc/${pid}/limits`, 'utf8').split('\n');
    return lines.filter((line) => names.some((name) => line.startsWith(name)));
  };
  const [roots, his] = [true, false].map((isRoot) =>
    processesOf(id).filter(({ pid }) => (statusUid(pid) === 0) === isRoot),
  );
  expect(roots?.length).toBeGreaterThan(0);
  for (const { pid } of roots ?? []) expect(limitsOf(pid)).toEqual(limitsOf(daemon.supervisorPid()));
  expect(limitsOf(his?.[0]?.pid ?? 0).join('\n')).toMatch(
    /time +100 .*\n.*processes +1000 .*\n.*space +536870912 /,
  );
  await kill(daemon, id, 'grace_ms=0');
});

test('a directory of root’s is not entered for him, straight or through a link', async () => {
  const { daemon, base } = await startVictim();
  const secret = join(base, 'secret');
  mkdirSync(join(secret, 'inner'), { recursive: true, mode: 0o755 });
  writeFileSync(join(secret, 'inner/file'), 'a secret', { mode: 0o644 });
  chmodSync(secret, 0o700);
  const dir = playground(base);
  await submitAndWait(daemon, script(`ln -s ${secret}/inner ${dir}/link`));
  for (const way of WAYS)
    for (const cwd of [join(secret, 'inner'), join(dir, 'link')]) {
      const end = await submitAndWait(daemon, {
        execution: { kind: 'script', script: 'cat file', cwd },
        ...way,
      });
      expect(end).toMatchObject({ cause: 'launch', stdout: '' });
      expect(end.error?.message).toContain(`working directory ${cwd} `);
    }
});

test('names that shells and tools read otherwise are names', async () => {
  const { daemon, base } = await startVictim([], `it's "a" $(touch x) dir`);
  for (const [n, way] of WAYS.entries())
    for (const [m, name] of ['-n', '--', '$(id)', `a 'b' "c"`, '`id`', 'a\nb', '\\', '*', '~'].entries()) {
      const task_id = `${['-n', '--', '...', '-c'][(n + m) % 4]}${n}.${m}`;
      const sandbox = { ...(way as Partial<typeof NAMESPACES>).sandbox, workspace_subdir: name };
      const end = await submitAndWait(daemon, {
        task_id,
        execution: { kind: 'script', script: 'pwd -P; id -u' },
        ...way,
        sandbox,
      });
      expect(end.stdout).toBe(`${join(daemon.dataDir, 'tasks', task_id, 'workspace', name)}\n${USER}\n`);
    }
  expect(existsSync(join(base, 'x'))).toBe(false);
});

function statusUid(pid: number): number | undefined {
  try {
    return Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
