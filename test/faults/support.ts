import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { readJournal } from '../../src/supervisor/journal/journal.js';
import type { TaskView } from '../../src/task/view.js';
import {
  type Daemon,
  http,
  processesOf,
  script,
  submit,
  tempDir,
  waitFor,
  waitForEnd,
  waitGone,
} from '../harness/index.js';

/** The status object of a task. */
export async function statusOf(daemon: { url: string }, taskId: string): Promise<TaskView> {
  const answer = await http(daemon.url).get<TaskView>(`/api/v1/tasks/${taskId}`);
  if (answer.status !== 200) throw new Error(`status was answered with ${answer.status}: ${answer.text}`);
  return answer.body;
}

/** Pid of the task's process, once the daemon knows it. */
export async function startedPid(daemon: { url: string }, taskId: string): Promise<number> {
  return waitFor(async () => (await statusOf(daemon, taskId)).pid, { what: `the start of ${taskId}` });
}

/** Waits until the task has written `text` to stdout, as its daemon tells. */
export async function printed(daemon: { url: string }, taskId: string, text: string): Promise<void> {
  await waitFor(async () => (await statusOf(daemon, taskId)).stdout.includes(text), {
    what: `${JSON.stringify(text)} from ${taskId}`,
  });
}

/** Waits until no process of the task is left, whoever may tell of it. */
export async function processesGone(taskId: string): Promise<void> {
  await waitFor(() => processesOf(taskId).length === 0, { what: `the end of the processes of ${taskId}` });
}

/** Waits until the supervisor of a daemon has written down how the launches of these pids ended. */
export async function endsInJournal(daemon: Daemon, pids: readonly number[]): Promise<void> {
  const journal = join(supervisorDirs(daemon.dataDir)[0]!, 'journal');
  await waitFor(
    () => {
      const { records } = readJournal(journal);
      const ended = new Set(records.flatMap((r) => (r.t === 'outcome' ? [r.outcome.launch_id] : [])));
      const launches = records.flatMap((r) =>
        r.t === 'started' && pids.includes(r.launch.pid) ? [r.launch.launch_id] : [],
      );
      return launches.length === pids.length && launches.every((launch) => ended.has(launch));
    },
    { what: `the ends of ${pids.join(', ')} in the journal` },
  );
}

/** SIGKILL to a process that the test owns, and waits for its end. */
export async function killHard(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await waitGone(pid);
}

/** Kills a daemon while a task runs that writes `up` before and `down` after that, and exits with 4. @returns how it ended */
export async function endAcrossKill(daemon: Daemon): Promise<TaskView> {
  const gate = join(tempDir(), 'gate');
  const text = `echo up; until [ -e ${gate} ]; do sleep 0.02; done; echo down; exit 4`;
  const id = await submit(daemon, script(text));
  await printed(daemon, id, 'up');
  await daemon.kill();
  mkdirSync(gate);
  await daemon.restart();
  return waitForEnd(daemon, id);
}

/** Looks into, or changes, the database of a daemon that does not run. */
export function withDatabase<T>(dataDir: string, use: (db: Database.Database) => T): T {
  const db = new Database(join(dataDir, 'runtime.db'));
  try {
    return use(db);
  } finally {
    db.close();
  }
}

/** Directories of the supervisors of a data directory. */
export function supervisorDirs(dataDir: string): string[] {
  return readdirSync(join(dataDir, 'supervisor')).map((name) => join(dataDir, 'supervisor', name));
}

/** Pid of the supervisor that is recorded last and lives, once it is another than `not`. */
export async function nextSupervisor(daemon: Daemon, not: number): Promise<number> {
  return waitFor(
    () =>
      withDatabase(daemon.dataDir, (db) =>
        db
          .prepare<[number], { pid: number }>(
            'SELECT pid FROM supervisors WHERE pid <> ? ORDER BY started_at_ms DESC',
          )
          .get(not),
      )?.pid,
    { what: 'another supervisor' },
  );
}
