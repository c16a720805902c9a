import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Daemon } from '../harness/daemon.js';
import { script, submit, submitAndWait, waitForEnd } from '../harness/index.js';
import { kill, python, submitAndSee } from '../limits/support.js';
import { playground, startVictim, USER, WAYS } from './chain-support.js';

const WHERE = 'pwd -P; stat -c %u:%a .';

/** A directory of root's that every user may pass, with one in it as deep as the victims' subdirectories are. */
function canary(base: string): { path: string; look: () => unknown } {
  const path = join(base, 'canary');
  mkdirSync(join(path, 'etc'), { recursive: true });
  writeFileSync(join(path, 'etc/file'), 'as it was', { mode: 0o600 });
  chmodSync(path, 0o755);
  chmodSync(join(path, 'etc'), 0o700);
  const look = () =>
    ['', 'etc', 'etc/file'].map((name) => {
      const { uid, gid, mode, ctimeMs, nlink } = lstatSync(join(path, name));
      const names = name === 'etc/file' ? [] : readdirSync(join(path, name));
      return { name, uid, gid, mode, ctimeMs, nlink, names };
    });
  return { path, look };
}

const inside = (workspace_subdir: string) => script(WHERE, { sandbox: { workspace_subdir } });

/** Runs a text of Python's in the directory of all tasks, as a task that stays until it is killed. */
function attack(daemon: Daemon, text: string): Promise<string> {
  const tasks = JSON.stringify(join(daemon.dataDir, 'tasks'));
  return submitAndSee(daemon, python(`import os, socket, time\nos.chdir(${tasks})\n${text}`), 'up');
}

/**
 * What a task puts in the place of `x` of another, and what that other is told then: where it runs, or why it does not.
 * `c` is a directory of root's with `etc` in it, `p` one of the attacker's own.
 */
const THINGS: Record<string, [text: string, end: RegExp]> = {
  'a link to a directory of root’s': ['os.symlink(c, x)', /may not be entered/],
  'a link to one in which it is missing': ['os.symlink(c + "/etc", x)', /may not be entered/],
  'a link to a missing one in a directory of root’s': ['os.symlink(c + "/new", x)', /does not exist/],
  'a relative link out of it': [
    'os.symlink(os.path.relpath(c, os.path.dirname(x)), x)',
    /may not be entered/,
  ],
  'a link to a link': ['os.symlink(c, x + "y"); os.symlink("xy", x)', /may not be entered/],
  'a link to his own directory': ['os.symlink(p, x)', /playground\/etc\n65534:700\n$/],
  'a link loop': ['os.symlink("x", x)', /symbolic links|does not exist/],
  'a FIFO': ['os.mkfifo(x)', /is not a directory/],
  'a file': ['open(x, "w").close()', /is not a directory/],
  'a socket': ['socket.socket(socket.AF_UNIX).bind(os.path.relpath(x))', /is not a directory/],
  'a closed directory': ['os.mkdir(x, 0)', /may not be entered/],
  'a directory without more': ['os.mkdir(x)', /workspace\/x\/etc\n65534:700\n$/],
  nothing: ['pass', /workspace\/x\/etc\n65534:700\n$/],
};
const SECOND = 'a link in the second place';

test('what is in the place of a waiting task’s directory is not followed with root’s rights', async () => {
  const { daemon, base } = await startVictim(['--max-running-tasks', '1']);
  const { path, look } = canary(base);
  const before = look();
  const own = playground(base);
  const puts = Object.values(THINGS).map(([text]) => text);
  const attacker = attack(
    daemon,
    `c, p = ${JSON.stringify(path)}, ${JSON.stringify(own)}
while not os.path.exists("victim-second/workspace/x/etc"): time.sleep(0.01)
for n, put in enumerate(${JSON.stringify(puts)}):
  x = "victim-%d/workspace/x" % n
  os.rmdir(x + "/etc"); os.rmdir(x)
  exec(put)
os.rmdir("victim-second/workspace/x/etc")
os.symlink(c + "/etc", "victim-second/workspace/x/etc")
print("up", flush=True)
time.sleep(600)`,
  );
  for (const n of puts.keys()) await submit(daemon, { ...inside('x/etc'), task_id: `victim-${n}` });
  await submit(daemon, { ...inside('x/etc'), task_id: 'victim-second' });
  const id = await attacker;
  await daemon.restart();
  await kill(daemon, id, 'grace_ms=0');
  const ends = Object.fromEntries(
    await Promise.all(
      [...Object.keys(THINGS), SECOND].map(async (name, n) => {
        const { stdout, cause, error } = await waitForEnd(daemon, `victim-${name === SECOND ? 'second' : n}`);
        return [name, cause === 'launch' ? error?.message : stdout] as const;
      }),
    ),
  );
  for (const [name, [, end]] of Object.entries(THINGS)) expect(ends[name], name).toMatch(end);
  expect(ends[SECOND]).toMatch(/may not be entered/);
  expect(look()).toEqual(before);
  expect(existsSync(join(path, 'new'))).toBe(false);
});

test('nor what is swapped for it while it is restored, launched and entered', async () => {
  const { daemon, base } = await startVictim(['--max-running-tasks', '1']);
  const { path, look } = canary(base);
  const before = look();
  const victims = Array.from({ length: 40 }, (_, n) => `victim-${n}`);
  const attacker = attack(
    daemon,
    `c, victims = ${JSON.stringify(path)}, ${JSON.stringify(victims)}
while not os.path.exists(victims[-1] + "/workspace/x/etc"): time.sleep(0.01)
for v in victims: os.symlink(c, v + "/workspace/link")
print("up", flush=True)
while True:
  for v in victims:
    x, link, away = (v + "/workspace/" + name for name in ("x", "link", "away"))
    os.rename(x, away); os.rename(link, x); os.rename(away, link)`,
  );
  for (const [n, task_id] of victims.entries())
    await submit(daemon, { ...WAYS[n % WAYS.length], ...inside('x/etc'), task_id });
  const id = await attacker;
  await daemon.restart({ flags: ['--task-user', String(USER), '--max-running-tasks', '4'] });
  for (const task_id of victims) {
    const { stdout, stderr, cause, error } = await waitForEnd(daemon, task_id);
    if (cause === 'launch') expect(error?.message).toMatch(/working directory .*\/x\/etc /);
    else expect([stdout, stderr].join('')).toMatch(/\/workspace\/(x|away|link)\/etc\n65534:700\n$/);
  }
  expect(look()).toEqual(before);
  await kill(daemon, id, 'grace_ms=0');
});

test('a subdirectory that is missing is made, as the task’s user, and can be used', async () => {
  const { daemon } = await startVictim();
  for (const way of WAYS) {
    const made = script('umask; echo mine >file && cat file; stat -c %u:%g:%a . ..', {
      ...way,
      sandbox: { ...(way as { sandbox?: object }).sandbox, workspace_subdir: 'a/b/c' },
    });
    const own = `${USER}:${USER}:700\n`;
    expect((await submitAndWait(daemon, made)).stdout).toBe(`0022\nmine\n${own}${own}`);
  }
});
