import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireTool } from '../../src/sandbox/process/tools.js';
import { startDaemon, tempDir } from '../harness/index.js';
import type { Daemon } from '../harness/daemon.js';

/** The user that means harm: nobody, on every Linux. */
export const USER = 65_534;

/** A directory of root's that any user gets to, and a data directory in it for a daemon whose tasks are {@link USER}. */
export async function startVictim(
  flags: readonly string[] = [],
  name = 'data',
): Promise<{ daemon: Daemon; base: string }> {
  const base = tempDir();
  chmodSync(base, 0o755);
  const dataDir = join(base, name);
  mkdirSync(dataDir, { mode: 0o700 });
  const user = ['--task-user', String(USER), '--max-running-tasks', '32'];
  return { base, daemon: await startDaemon({ dataDir, flags: [...user, ...flags] }) };
}

/** A directory of the user's own. */
export function playground(base: string, name = 'playground'): string {
  const dir = join(base, name);
  mkdirSync(dir);
  chmodSync(dir, 0o777);
  return dir;
}

/** A root file system with a shell, in which the user of the tasks is called root. */
export function makeRootfs(root: string): string {
  for (const dir of ['bin', 'proc', 'etc', 'tmp'])
    mkdirSync(join(root, dir), { recursive: true, mode: 0o755 });
  for (const tool of ['sh', 'busybox', 'id', 'cat', 'touch'])
    copyFileSync(requireTool('busybox'), join(root, 'bin', tool));
  writeFileSync(join(root, 'etc/passwd'), `${USER}:x:0:0::/:/bin/sh\nnobody:x:0:0::/:/bin/sh\n`);
  writeFileSync(join(root, 'etc/group'), `${USER}:x:0:\n`);
  return root;
}

export const NAMESPACES = { sandbox: { profile: 'linux_sandbox' } };
/** Every way a task can take through the chain, but for another root. */
export const WAYS: readonly object[] = [
  {},
  { limits: { memory_bytes: 1 << 29, pids_max: 100, cpu_time_sec: 100 } },
  NAMESPACES,
  { ...NAMESPACES, limits: { memory_bytes: 1 << 29, pids_max: 100 } },
];

/** What asks for a root file system. */
export const within = (rootfs: string) => ({ sandbox: { profile: 'linux_sandbox', chroot: true, rootfs } });

/** A directory of root's that the operator allows. */
export function allowedDirectory(): string {
  const above = tempDir();
  chmodSync(above, 0o755);
  const dir = join(above, 'images');
  mkdirSync(dir, { mode: 0o755 });
  return dir;
}
