import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TaskView } from '../../src/task/view.js';
import {
  command,
  execgo,
  http,
  script,
  startDaemon,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
  type Daemon,
} from '../harness/index.js';
import { reachableDataDir } from '../limits/support.js';
import { CELLS, FILES, putAll, thaw, type Cell, type Outside } from './things.js';

/** A guard against hanging, in milliseconds: a thousand tasks, each with its end. */
const PATIENCE_MS = 240_000;
const NOBODY = 65_534;

/** Who runs the daemon, who its tasks are. */
const IDENTITIES = [
  { who: 'as root', daemonUid: 0, taskUid: 0, flags: [] },
  { who: 'as another user', daemonUid: NOBODY, taskUid: NOBODY, flags: [] },
  { who: 'under --task-user', daemonUid: 0, taskUid: NOBODY, flags: ['--task-user', 'nobody'] },
];

/** When the directory is spoilt, and how the task ends. */
const GROUPS = ['waits', 'restarts', 'exits', 'killed', 'deadline', 'ended'] as const;

type Task = Cell & { group: (typeof GROUPS)[number]; id: string };

const tasksOf = (...groups: Task['group'][]): Task[] =>
  groups.flatMap((group) =>
    CELLS.map((cell) => ({ ...cell, group, id: `${group}.${cell.thing}.${cell.place || 'itself'}` })),
  );

/** Spoilt before its start. */
const isEarly = (group: Task['group']): boolean => group === 'waits' || group === 'restarts';

const writtenBy = (group: Task['group'], stream: 'stdout' | 'stderr'): string => {
  if (!isEarly(group)) return WRITTEN;
  return stream === 'stdout' ? 'ran\n' : '';
};

/** Of each stream so much is shown and kept at its beginning, so that there is a tail. */
const HEAD = 1000;
const NUMBERS = Array.from({ length: 1000 }, (_, i) => `${i + 1}\n`).join('');
const WRITTEN = `begun\n${NUMBERS}`;
/** Longer than it takes to submit all and to spoil their directories, and shorter than anybody wants to wait. */
const DEADLINE_MS = 8000;
/** For what may wait for ever in its own program, as a shell does that is given a FIFO for its script. */
const AT_MOST_MS = 3000;
/** How many tasks of a tenant may run at a time. */
const AT_ONCE = 16;

/** Something that no task may change, and how to see that none did. */
function outside(): Outside & { check: () => void } {
  const base = tempDir();
  fs.chmodSync(base, 0o755);
  const [file, directory] = [join(base, 'file'), join(base, 'directory')];
  fs.writeFileSync(file, 'untouched');
  fs.mkdirSync(directory);
  fs.writeFileSync(join(directory, 'inner'), 'untouched');
  const look = () =>
    ['.', 'file', 'directory', 'directory/inner'].map((name) => {
      const { mode, uid, gid, mtimeMs, size } = fs.lstatSync(join(base, name));
      return { name, mode, uid, gid, mtimeMs, size };
    });
  const before = look();
  return {
    file,
    directory,
    check: () => {
      expect(look()).toEqual(before);
      expect(fs.readdirSync(directory)).toEqual(['inner']);
      expect(fs.readFileSync(file, 'utf8')).toBe('untouched');
    },
  };
}

/** Tasks that read a word from it go on when it opens. */
function gate(): { path: string; open: (tasks: number) => void } {
  const dir = tempDir();
  fs.chmodSync(dir, 0o755);
  const path = join(dir, 'gate');
  execFileSync('mkfifo', ['-m', '644', path]);
  const fd = fs.openSync(path, fs.constants.O_RDWR);
  onTestFinished(() => {
    fs.closeSync(fd);
  });
  return { path, open: (tasks) => void fs.writeSync(fd, '\n'.repeat(tasks)) };
}

async function submitAll(daemon: Daemon, requests: object[]): Promise<void> {
  for (let at = 0; at < requests.length; at += 500) {
    const { status, text } = await http(daemon.url).post('/api/v1/tasks/batch', {
      tasks: requests.slice(at, at + 500),
    });
    expect([status, text.includes('"error"')]).toEqual([200, false]);
  }
}

async function statusOf(daemon: Daemon, { id }: { id: string }): Promise<TaskView> {
  const answer = await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`);
  expect
    .soft([id, answer.status, answer.text.slice(0, answer.status === 200 ? 0 : 500)])
    .toEqual([id, 200, '']);
  return answer.body;
}

const VIEWS = { stdout: 'view=range', stderr: 'view=head_tail' };

/** What there is to know of a task can be asked for, and what cannot be read is said. */
async function expectAnswers(daemon: Daemon, { id, group, thing, place }: Task): Promise<void> {
  const view = await statusOf(daemon, { id });
  const told = (view.warnings ?? []).join();
  for (const stream of ['stdout', 'stderr'] as const) {
    const bytes = view[`${stream}_bytes`];
    // What stands in the place of a script says what it likes.
    const isRun = isEarly(group) && place === 'script.sh';
    const isWhole = isRun || writtenBy(group, stream).slice(0, Math.min(HEAD, bytes)) === view[stream];
    if (!isWhole)
      expect.soft([id, FILES.includes(thing) || told.includes(stream), told]).toEqual([id, true, told]);
    // What else stands in the directory has nothing to do with a stream.
    if (place !== '' && !place.startsWith(stream)) continue;
    const form = VIEWS[stream];
    const { status, body } = await http(daemon.url).get(
      `/api/v1/tasks/${id}/output?stream=${stream}&${form}`,
    );
    expect.soft([id, form, status]).toEqual([id, form, 200]);
    if (place === `${stream}.log` && body.kept_bytes === 0 && bytes > 0)
      expect
        .soft([id, form, body.warnings])
        .toEqual([id, form, expect.arrayContaining([expect.stringContaining(stream)])]);
  }
  if (place !== '') return;
  const events = await http(daemon.url).get(`/api/v1/tasks/${id}/events`);
  expect.soft([id, events.status]).toEqual([id, 200]);
}

/** Everybody else is served: another task runs, and everything that was asked about is answered. */
async function expectWell(daemon: Daemon, tasks: readonly Task[]): Promise<void> {
  expect.soft(await submitAndWait(daemon, command('echo', ['here']))).toMatchObject({ stdout: 'here\n' });
  for (let at = 0; at < tasks.length; at += 8)
    await Promise.all(tasks.slice(at, at + 8).map((task) => expectAnswers(daemon, task)));
  for (const path of ['/api/v1/tasks?limit=1000', '/api/v1/events?limit=1000', '/healthz', '/metrics'])
    expect.soft([path, (await http(daemon.url).get(path)).status]).toEqual([path, 200]);
}

async function expectEnds(
  daemon: Daemon,
  tasks: readonly Task[],
  check: (end: TaskView, task: Task) => void,
): Promise<void> {
  await Promise.all(
    tasks.map(async (task) => {
      check(await waitForEnd(daemon, task.id, PATIENCE_MS), task);
    }),
  );
}

/** The program began in a directory that was spoilt: what it could not have is the end of it, or it ran. */
function checkStart({ status, cause, exit_code, stdout, error, warnings }: TaskView, task: Task): void {
  const what = { id: task.id, status, cause, exit_code, stdout, error, warnings };
  // A script is what stands in its place; who waits for that, waits until the wall time is over.
  if (task.place === 'script.sh' && ['exit', 'timeout'].includes(cause ?? '')) return;
  if (status === 'success') {
    expect.soft(what).toMatchObject({ cause: 'exit', exit_code: 0 });
    const isKept = stdout === 'ran\n' || FILES.includes(task.thing) || warnings?.join().includes('stdout');
    expect.soft([what, isKept]).toEqual([what, true]);
    return;
  }
  expect.soft(what).toMatchObject({ status: 'failed', cause: 'launch', error: { code: 'launch_failed' } });
  expect.soft([what, error?.message.includes('/') ?? false]).toEqual([what, true]);
}

describe.each(IDENTITIES)('$who', ({ daemonUid, taskUid, flags }) => {
  test(
    'whatever stands in the directory of a task, whenever: it ends, and nobody else notices',
    async () => {
      const dataDir = reachableDataDir();
      for (const dir of [dirname(dataDir), dataDir]) fs.chownSync(dir, daemonUid, daemonUid);
      const all = [
        ...['--max-running-tasks', '1000', '--max-queued-tasks', '1000', '--termination-grace-ms', '500'],
        ...['--tenant-quota', `waits=slots:${AT_ONCE}`, '--tenant-quota', `restarts=slots:${AT_ONCE}`],
        ...['--gc-interval-ms', '3600000', ...flags],
      ];
      const daemon = await startDaemon({
        dataDir,
        flags: all,
        ...(daemonUid === 0 ? {} : { uid: daemonUid }),
      });
      onTestFinished(() => {
        thaw(dataDir);
      });
      const precious = outside();
      const directoryOf = ({ id }: Task) => join(dataDir, 'tasks', id);
      const spoil = (tasks: readonly Task[], uid: number) => {
        putAll(tasks, directoryOf, precious, uid);
      };
      const kill = (id: string) => http(daemon.url).post(`/api/v1/tasks/${id}/kill`);

      const blockers: Record<string, string[]> = {};
      for (const tenant of ['waits', 'restarts'] as const) {
        blockers[tenant] = Array.from({ length: AT_ONCE }, (_, i) => `blocker.${tenant}.${i}`);
        const about = { control_context: { tenant } };
        await submitAll(
          daemon,
          blockers[tenant].map((task_id) => command('sleep', ['600'], { task_id, ...about })),
        );
        const limits = { wall_time_ms: AT_MOST_MS };
        await submitAll(
          daemon,
          tasksOf(tenant).map(({ id }) => script('echo ran', { task_id: id, limits, ...about })),
        );
      }
      const { path, open } = gate();
      const limits = {
        ...{ stdout_max_bytes: HEAD, stderr_max_bytes: HEAD, wall_time_ms: 0 },
        ...{ stdout_keep_bytes: HEAD, stderr_keep_bytes: HEAD },
      };
      const write = 'seq 1 1000; seq 1 1000 >&2; exit 3';
      const running = tasksOf('exits', 'killed', 'deadline');
      await submitAll(daemon, [
        ...running.map(({ id, group }) =>
          script(`echo begun; echo begun >&2; read word <${path}; ${write}`, {
            task_id: id,
            limits: { ...limits, ...(group === 'deadline' ? { wall_time_ms: DEADLINE_MS } : {}) },
          }),
        ),
        ...tasksOf('ended').map(({ id }) =>
          script(`echo begun; echo begun >&2; ${write}`, { task_id: id, limits }),
        ),
      ]);
      const began = async (task: Task) =>
        waitFor(async () => (await statusOf(daemon, task)).stdout === 'begun\n', {
          what: `${task.id} to begin`,
        });
      for (const task of tasksOf('exits', 'killed')) await began(task);
      await expectEnds(daemon, tasksOf('ended'), ({ exit_code, stdout_bytes }) => {
        expect([exit_code, stdout_bytes]).toEqual([3, WRITTEN.length]);
      });

      spoil(tasksOf('waits'), taskUid);
      spoil(running, taskUid);
      spoil(tasksOf('ended'), taskUid);
      // All that run look the same.
      await expectWell(daemon, tasksOf('waits', 'exits', 'ended'));

      for (const { id } of tasksOf('killed')) expect((await kill(id)).status).toBe(200);
      await expectEnds(daemon, tasksOf('killed'), ({ task_id, cause }) => {
        expect.soft([task_id, cause]).toEqual([task_id, 'cancelled']);
      });
      await expectEnds(daemon, tasksOf('deadline'), ({ task_id, cause }) => {
        expect.soft([task_id, cause]).toEqual([task_id, 'timeout']);
      });
      open(CELLS.length);
      await expectEnds(
        daemon,
        tasksOf('exits'),
        ({ task_id, cause, exit_code, stdout_bytes, stderr_bytes }) => {
          const count = WRITTEN.length;
          expect
            .soft([task_id, cause, exit_code, stdout_bytes, stderr_bytes])
            .toEqual([task_id, 'exit', 3, count, count]);
        },
      );
      for (const id of blockers['waits'] ?? []) await kill(id);
      await expectEnds(daemon, tasksOf('waits'), checkStart);
      const reserved = async () => (await http(daemon.url).get('/api/v1/runtime/resources')).body.reserved;
      expect(await reserved()).toMatchObject({ task_slots: AT_ONCE });
      precious.check();

      await daemon.kill();
      spoil(tasksOf('restarts'), taskUid);
      await daemon.restart();
      for (const id of blockers['restarts'] ?? []) await kill(id);
      await expectEnds(daemon, tasksOf('restarts'), checkStart);
      expect(await reserved()).toMatchObject({ task_slots: 0 });
      await expectWell(daemon, tasksOf(...GROUPS));

      const asDaemon = { uid: daemonUid, cwd: '/' };
      const doctor = await execgo(['doctor', '--data-dir', dataDir], asDaemon);
      expect([doctor.stderr, [0, 1].includes(doctor.code ?? -1)]).toEqual(['', true]);
      const copies = tempDir();
      fs.chownSync(copies, daemonUid, daemonUid);
      const copied = await execgo(['backup', join(copies, 'copy.db'), '--data-dir', dataDir], asDaemon);
      expect([copied.code, copied.stderr]).toEqual([0, '']);

      // An immutable directory holds up its own removal, which is said, and nothing else.
      const removed = await Promise.all(
        tasksOf('exits').map(async (task) => {
          const { status, text } = await http(daemon.url).delete(`/api/v1/tasks/${task.id}`);
          return { ...task, status, text };
        }),
      );
      for (const { id, status, text } of removed.filter(({ status: code }) => code !== 200))
        expect
          .soft([id, status, text])
          .toEqual(['exits.immutable.itself', 409, expect.stringContaining('EPERM')]);
      const collect = async () => {
        const { status, body } = await http(daemon.url).post('/api/v1/gc', { older_than_ms: 0 });
        expect(status).toBe(200);
        return body;
      };
      await collect();
      expect(fs.readdirSync(join(dataDir, 'tasks')).every((name) => name.includes('immutable'))).toBe(true);
      thaw(dataDir);
      await daemon.restart();
      expect((await collect()).problems).toEqual([]);
      await waitFor(() => fs.readdirSync(join(dataDir, 'trash')).length === 0, { what: 'an empty trash' });
      expect(fs.readdirSync(join(dataDir, 'tasks'))).toEqual([]);
      precious.check();
    },
    PATIENCE_MS,
  );
});
