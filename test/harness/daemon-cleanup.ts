import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupDirs, removeCgroup, subdirectories } from './cgroups.js';
import { killAll, signalIfThere } from './kill.js';
import { listProcesses } from './proc.js';
import { poll } from './wait.js';

/** An idle supervisor ends at once; one that has something to do never does of a signal. Milliseconds. */
const SIGTERM_MS = 500;

export interface CleanUp {
  dataDir: string;
  /** The daemon's temporary directory; whatever has it as TMPDIR is the daemon's. */
  tmp: string;
  /** Last path component of the daemon's cgroup root. */
  cgroup: string;
  daemon: { child: { kill: (signal: NodeJS.Signals) => boolean }; ended: () => boolean } | undefined;
  /** Pids of all supervisors that were announced. */
  supervisors: ReadonlySet<number>;
  /** How long each of daemon and supervisor may take to end. */
  patienceMs: number;
}

/**
 * Ends a daemon that has been sent SIGTERM, then its supervisors with their tasks, in good order. Whatever does not end
 * so is ended by force.
 * @throws Error that lists what took force, and what was left behind.
 */
export async function cleanUp({
  dataDir,
  tmp,
  cgroup,
  daemon,
  supervisors,
  patienceMs,
}: CleanUp): Promise<void> {
  const problems: string[] = [];
  const mine = () =>
    listProcesses().filter(
      (p) => p.env.get('TMPDIR') === tmp || p.command.includes(tmp) || p.command.includes(dataDir),
    );

  await poll(() => daemon?.ended() ?? true, patienceMs);
  if (daemon?.ended() === false) {
    problems.push('the daemon did not end after SIGTERM');
    daemon.child.kill('SIGKILL');
    await poll(daemon.ended, patienceMs);
  }

  const living = () => {
    const own = new Set([...mine().map((p) => p.pid), ...supervisors]);
    return listProcesses().filter((p) => p.command.includes('internal-supervisor') && own.has(p.pid));
  };
  for (const { pid } of living()) signalIfThere(pid, 'SIGTERM');
  await poll(() => living().length === 0, SIGTERM_MS);
  // With something still to do a supervisor stays, until its socket is gone: then it ends its tasks and itself.
  if (living().length > 0)
    for (const dir of subdirectories(join(dataDir, 'supervisor')))
      rmSync(dir, { recursive: true, force: true });
  await poll(() => living().length === 0, patienceMs);
  for (const p of living()) {
    problems.push(`supervisor ${p.pid} did not end although its socket is gone`);
    signalIfThere(p.pid);
  }

  for (const p of mine())
    problems.push(`process ${p.pid} outlived its supervisor: ${p.command.slice(0, 200)}`);
  await killAll(mine, patienceMs);

  for (const root of cgroupDirs(cgroup)) {
    // Under the root the daemon has one directory for its data directory; in there each launch has its own.
    for (const dir of subdirectories(root).flatMap(subdirectories))
      problems.push(`cgroup directory was left: ${dir}`);
    removeCgroup(root);
  }
  for (const name of readdirSync(tmp)) problems.push(`temporary file was left: ${tmp}/${name}`);
  if (problems.length > 0) throw new Error(`the daemon was not cleanly gone:\n${problems.join('\n')}`);
}
