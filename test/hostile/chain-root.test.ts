import { existsSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { http, script, submit, submitAndWait, waitFor, waitForEnd } from '../harness/index.js';
import { python } from '../limits/support.js';
import { allowedDirectory, makeRootfs, playground, startVictim, USER, within } from './chain-support.js';

test('a root file system that calls the user root does not make him root', async () => {
  const allowed = allowedDirectory();
  const { daemon } = await startVictim(['--allow-rootfs', allowed]);
  const rootfs = makeRootfs(join(allowed, 'one'));
  const end = await submitAndWait(daemon, script('id -u; id -g; id -G; touch /etc/mine', within(rootfs)));
  expect(end.stdout).toBe(`${USER}\n${USER}\n${USER}\n`);
  expect(existsSync(join(rootfs, 'etc/mine'))).toBe(false);
});

test('one that a task has made is refused, however it is called', async () => {
  const allowed = allowedDirectory();
  const { daemon } = await startVictim(['--allow-rootfs', allowed]);
  const made = await submitAndWait(
    daemon,
    script(
      `mkdir -p root/bin root/etc; cp "$(command -v busybox)" root/bin/sh; echo ${USER}:x:0:0::/: >root/etc/passwd`,
    ),
  );
  expect(made.status).toBe('success');
  const own = join(made.artifacts.task_dir, 'workspace/root');
  for (const rootfs of [own, `${allowed}/../../..${own}`, 'root', './root', '../workspace/root', '.', '/']) {
    const { status, body } = await http(daemon.url).post('/api/v1/tasks', script('id', within(rootfs)));
    expect([rootfs, status, body.error.code]).toEqual([rootfs, 403, 'permission_denied']);
  }
});

test('one that he swaps between check and use is used in no shape of his', async () => {
  const allowed = allowedDirectory();
  const { daemon, base } = await startVictim(['--allow-rootfs', allowed]);
  const good = makeRootfs(join(allowed, 'good'));
  const evil = makeRootfs(join(base, 'evil'));
  // An operator's mistake: the directory above is the user's.
  const his = playground(allowed, 'his');
  renameSync(good, join(his, 'a'));
  symlinkSync(evil, join(his, 'b'));
  const text = `import os
os.chdir(${JSON.stringify(his)})
print("up", flush=True)
while True: os.rename("a", "c"); os.rename("b", "a"); os.rename("c", "b")`;
  const swap = await submit(daemon, python(text));
  await waitFor(async () => (await http(daemon.url).get(`/api/v1/tasks/${swap}`)).body.stdout === 'up\n');
  const victims = Array.from({ length: 20 }, (_, n) =>
    submit(daemon, script('id -u; touch /proc/mine', within(join(his, n % 2 === 0 ? 'a' : 'b')))),
  );
  for (const id of await Promise.all(victims))
    expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'failed', cause: 'sandbox', stdout: '' });
  await http(daemon.url).post(`/api/v1/tasks/${swap}/kill?grace_ms=0&wait_ms=20000`);
});
