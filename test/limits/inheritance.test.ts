import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Daemon, type DaemonOptions, startDaemon, submitAndWait } from '../harness/index.js';
import { fields, python, reachableDataDir } from './support.js';

/** Python opens nothing that lives on, and changes only the signals that it names. */
const LOOK = `import os, resource
print("fds", *sorted(int(f) for f in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + f)))
print("stdin", os.readlink("/proc/self/fd/0"))
print("umask", oct(os.umask(0)))
print("files", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print("oom", open("/proc/self/oom_score_adj").read().strip())
print("session", os.getsid(0) == os.getpgid(0))
print("env", *sorted(os.environ))
print(open("/proc/self/status").read())`;

const VARIANTS: [string, object][] = [
  ['directly', {}],
  [
    'through limits',
    { limits: { memory_bytes: 500_000_000, pids_max: 50, cpu_time_sec: 60, cpu_millis: 1000 } },
  ],
  ['through namespaces', { sandbox: { profile: 'linux_sandbox' } }],
  [
    'through both',
    { limits: { memory_bytes: 500_000_000, pids_max: 50 }, sandbox: { profile: 'linux_sandbox' } },
  ],
];

const OWN_SCORE = '/proc/self/oom_score_adj';
const scoreOf = (pid: number | 'self') => readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim();

/** Starts a daemon that has inherited an oom_score_adj of its own: below 0 where this process may have that, else above. */
async function startAdjusted(options: DaemonOptions): Promise<{ daemon: Daemon; score: string }> {
  const before = scoreOf('self');
  try {
    writeFileSync(OWN_SCORE, '-500');
  } catch {
    writeFileSync(OWN_SCORE, '300');
  }
  const score = scoreOf('self');
  try {
    return { daemon: await startDaemon(options), score };
  } finally {
    writeFileSync(OWN_SCORE, before);
  }
}

test.each([
  ['libc', []],
  ['libc', ['--task-user', 'nobody']],
  ['execa', []],
])('a task inherits nothing: %s launcher %j', async (launcher, flags) => {
  const { daemon, score } = await startAdjusted({
    dataDir: reachableDataDir(),
    flags: ['--launcher', launcher, ...flags],
    env: { SECRET: 'x', LD_SECRET: 'y' },
  });
  for (const [name, more] of VARIANTS) {
    const end = await submitAndWait(daemon, python(LOOK, more));
    expect(end.status, end.stderr).toBe('success');
    const seen = fields(end.stdout);
    expect(seen, name).toMatchObject({
      fds: '0 1 2',
      stdin: '/dev/null',
      umask: '0o22',
      files: '1024',
      oom: '0',
      SigBlk: '0000000000000000',
      // Python ignores SIGPIPE and SIGXFSZ by itself.
      SigIgn: '0000000001001000',
    });
    expect(seen['env']?.split(' ').filter((variable) => variable.includes('SECRET'))).toEqual([]);
    // In a pid namespace the session's leader is a helper outside.
    if (!('sandbox' in more)) expect(seen['session'], name).toBe('True');
  }
  expect(scoreOf(daemon.supervisorPid())).toBe(score);
});
