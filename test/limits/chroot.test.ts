import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command, http, script, startDaemon, submitAndWait, tempDir } from '../harness/index.js';
import { reachableDataDir } from './support.js';

/** A root file system with busybox, which must be linked statically, and nothing else. */
function makeRootfs(parent: string): string {
  chmodSync(parent, 0o755);
  const rootfs = join(parent, 'rootfs');
  for (const dir of ['bin', 'proc', 'tmp']) mkdirSync(join(rootfs, dir), { recursive: true, mode: 0o755 });
  const busybox = execFileSync('/bin/sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim();
  copyFileSync(busybox, join(rootfs, 'bin/busybox'));
  for (const name of ['sh', 'ls', 'id', 'echo', 'cat', 'readlink', 'pwd'])
    copyFileSync(busybox, join(rootfs, 'bin', name));
  return rootfs;
}

const within = (rootfs: string, more: object = {}) => ({
  sandbox: { profile: 'linux_sandbox', chroot: true, rootfs, ...more },
  policy: { capability_mode: 'strict' },
});

test('scripts and commands see the root file system and nothing else', async () => {
  const rootfs = makeRootfs(tempDir());
  const daemon = await startDaemon({ flags: ['--allow-rootfs', rootfs] });
  const text = 'echo /*; pwd; ls /proc | grep -c "^[0-9]" || :; readlink /proc/self; ls /no-such';
  const end = await submitAndWait(daemon, script('echo /*; pwd; cat /proc/1/comm', within(rootfs)));
  expect(end).toMatchObject({ status: 'success', stdout: '/bin /proc /tmp\n/\nsh\n', stderr: '' });
  const listed = await submitAndWait(daemon, command('ls', ['/'], within(rootfs)));
  expect(listed).toMatchObject({ stdout: 'bin\nproc\ntmp\n' });
  const plain = { mount: false, pid: false, uts: false, ipc: false, net: false };
  const without = await submitAndWait(
    daemon,
    command('/bin/ls', ['/proc'], within(rootfs, { namespaces: plain })),
  );
  expect(without).toMatchObject({ status: 'success', stdout: '' });
  expect(await submitAndWait(daemon, script(text, within(rootfs)))).toMatchObject({ cause: 'exit' });
  // What was mounted in the task's namespace is not seen here.
  expect(readdirSync(join(rootfs, 'proc'))).toEqual([]);
});

test('a task in there cannot talk to the daemon, and its plan says so', async () => {
  const rootfs = makeRootfs(tempDir());
  const daemon = await startDaemon({ flags: ['--allow-rootfs', rootfs] });
  const end = await submitAndWait(
    daemon,
    script(
      'echo "${EXECGO_TASK_ID-none} ${EXECGO_TASK_SOCKET-none} ${EXECGO_TASK_TOKEN-none}"',
      within(rootfs),
    ),
  );
  expect(end.stdout).toBe(`${end.task_id} none none\n`);
  expect(end.execution_plan?.capability_warnings).toContainEqual(
    expect.stringContaining('neither the workspace nor the task socket is visible'),
  );
});

test('what is not inside is not found', async () => {
  const rootfs = makeRootfs(tempDir());
  const daemon = await startDaemon({ flags: ['--allow-rootfs', rootfs] });
  for (const program of ['/usr/bin/env', 'python3'])
    expect(await submitAndWait(daemon, command(program, [], within(rootfs)))).toMatchObject({
      status: 'failed',
      cause: 'launch',
      error: { code: 'launch_failed' },
    });
  for (const elsewhere of ['no/such', `${rootfs}/../other`, '/'])
    expect(
      (await http(daemon.url).post('/api/v1/tasks', command('/bin/true', [], within(elsewhere)))).body.error,
    ).toMatchObject({ code: 'permission_denied', message: expect.stringContaining('--allow-rootfs') });
});

test('a script that needs its file is refused at submit', async () => {
  const rootfs = makeRootfs(tempDir());
  const daemon = await startDaemon({ flags: ['--allow-rootfs', rootfs] });
  const request = {
    execution: { kind: 'script', script: 'echo hi', interpreter: ['/bin/sh'] },
    sandbox: { profile: 'linux_sandbox', chroot: true, rootfs },
  };
  for (const path of ['/api/v1/tasks', '/api/v1/tasks?dry_run=true'])
    expect((await http(daemon.url).post(path, request)).body.error).toMatchObject({
      code: 'unsupported_capability',
      message: expect.stringContaining('interpreter'),
    });
});

test('another user in another root', async () => {
  const dataDir = reachableDataDir();
  const rootfs = makeRootfs(join(dataDir, '..'));
  const daemon = await startDaemon({ dataDir, flags: ['--task-user', 'nobody', '--allow-rootfs', rootfs] });
  const end = await submitAndWait(
    daemon,
    script(
      'id -u; id -G; cat /proc/self/status | while read k v; do [ $k != NoNewPrivs: ] || echo $v; done',
      within(rootfs),
    ),
  );
  expect(end).toMatchObject({ status: 'success', stdout: '65534\n65534\n1\n' });
});

test.each([[], ['--task-user', 'nobody']])('execution.cwd is a directory in there, %j', async (...flags) => {
  const dataDir = reachableDataDir();
  const rootfs = makeRootfs(join(dataDir, '..'));
  const daemon = await startDaemon({ dataDir, flags: [...flags, '--allow-rootfs', join(rootfs, '..')] });
  const cd = (cwd: string, execution: object) =>
    submitAndWait(daemon, { ...within(rootfs), execution: { ...execution, cwd } });
  expect(await cd('/bin', { kind: 'script', script: 'pwd; echo "$0 $#"; ls id' })).toMatchObject({
    stdout: '/bin\n/bin/sh 0\nid\n',
    stderr: '',
  });
  expect((await cd('/tmp', { kind: 'command', program: '../bin/pwd' })).stdout).toBe('/tmp\n');
  for (const [cwd, why] of [
    [dataDir, 'does not exist'],
    ['/bin/sh', 'is not a directory'],
  ] as const)
    expect(await cd(cwd, { kind: 'command', program: 'ls' })).toMatchObject({
      cause: 'launch',
      error: { message: expect.stringContaining(`working directory ${cwd} ${why}`) },
    });
});
