import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { errnoOf } from '../../src/files/errno.js';
import { withDirectory } from '../../src/files/directory.js';
import { measureTree } from '../../src/runtime/upkeep/measure-tree.js';
import { removeTree } from '../../src/runtime/upkeep/remove-tree.js';
import {
  command,
  execgo,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
  type Daemon,
} from '../harness/index.js';
import { bindMount, silentMount, unmount } from './mounts.js';

/** What is mounted, and must stay as it is: it looks like a task's directory. */
function precious(): { directory: string; file: string; check: () => void } {
  const directory = tempDir();
  const names = ['stdout.log', 'result.json', 'workspace/inner'];
  fs.mkdirSync(join(directory, 'workspace'));
  for (const name of names) fs.writeFileSync(join(directory, name), 'precious');
  const look = () =>
    ['.', 'workspace', ...names].map((name) => {
      const { mode, uid, gid, mtimeMs, size } = fs.lstatSync(join(directory, name));
      return { name, mode, uid, gid, mtimeMs, size };
    });
  const before = look();
  return { directory, file: join(directory, 'stdout.log'), check: () => expect(look()).toEqual(before) };
}

/** Where in its directory a task mounts something. */
const PLACES = ['', 'workspace', 'workspace/deep/er', 'stdout.log', 'stderr.log', 'result.json'];
const isFile = (place: string) => place.includes('.');

const idOf = (place: string) => (place === '' ? 'itself' : place.replaceAll('/', '-'));

async function expectAnswers(daemon: Daemon): Promise<void> {
  for (const place of PLACES) {
    const status = await http(daemon.url).get(`/api/v1/tasks/${idOf(place)}`);
    expect([place, status.status, status.text.includes('precious')]).toEqual([place, 200, false]);
    for (const query of ['stream=stdout', 'stream=stderr&view=head_tail']) {
      const output = await http(daemon.url).get(`/api/v1/tasks/${idOf(place)}/output?${query}`);
      expect([place, output.status, output.text.includes('precious')]).toEqual([place, 200, false]);
    }
    const told = (status.body.warnings ?? []).join();
    if (place === '' || place === 'stdout.log')
      expect(told).toMatch(/stdout cannot be read: .* is a mount point/);
    if (place === 'stderr.log') expect(told).toMatch(/stderr cannot be read: .* is a mount point/);
    if (place === '') expect(told).toMatch(/result.json cannot be written: .* is a mount point.*umount/);
  }
  expect(await submitAndWait(daemon, command('echo', ['here']))).toMatchObject({ stdout: 'here\n' });
}

/** What is not behind the mounts goes; what they lie in is told and stays. */
async function expectRemovals(daemon: Daemon, taskDir: (place: string) => string): Promise<void> {
  const doctor = await execgo(['doctor', '--data-dir', daemon.dataDir]);
  expect([0, 1]).toContain(doctor.code);
  const copied = await execgo(['backup', join(tempDir(), 'copy.db'), '--data-dir', daemon.dataDir]);
  expect([copied.code, copied.stderr]).toEqual([0, '']);
  const dry = await http(daemon.url).post('/api/v1/gc', { older_than_ms: 0, dry_run: true });
  expect(dry.status).toBe(200);

  const refused = await http(daemon.url).delete('/api/v1/tasks/itself');
  expect([refused.status, refused.body.error?.message]).toEqual([
    409,
    expect.stringContaining(`umount ${taskDir('')}`),
  ]);
  expect((await http(daemon.url).delete(`/api/v1/tasks/${idOf('workspace')}`)).status).toBe(200);
  const collected = await http(daemon.url).post('/api/v1/gc', { older_than_ms: 0 });
  expect(collected.status).toBe(200);
  expect(collected.body.problems.join('\n')).toContain('is a mount point');
  expect(fs.readdirSync(join(daemon.dataDir, 'tasks'))).toEqual(['itself']);
}

/** All that is mounted below `dir` or was moved with what it lies in. */
function unmountAll(dir: string): void {
  const points = fs
    .readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${dir}/`));
  for (const point of points) unmount(point);
}

async function expectAllGone(daemon: Daemon): Promise<void> {
  unmountAll(daemon.dataDir);
  await daemon.restart();
  const { body } = await http(daemon.url).post('/api/v1/gc', { older_than_ms: 0 });
  expect(body.problems).toEqual([]);
  for (const name of ['tasks', 'trash'])
    await waitFor(() => fs.readdirSync(join(daemon.dataDir, name)).length === 0, {
      what: `an empty ${name}/`,
    });
}

test('what a task mounts over its directory or anything in it is not read, written or removed', async () => {
  const daemon = await startDaemon();
  onTestFinished(() => {
    unmountAll(daemon.dataDir);
  });
  const outside = precious();
  const taskDir = (place: string) => join(daemon.dataDir, 'tasks', idOf(place));
  for (const place of PLACES) {
    const [from, to] = [isFile(place) ? outside.file : outside.directory, join(taskDir(place), place)];
    const make = isFile(place) ? `test -e '${to}' || : > '${to}'` : `mkdir -p '${to}'`;
    const text = `echo before; echo before >&2; ${make}; mount --bind '${from}' '${to}'; echo after; exit 3`;
    const end = await submitAndWait(daemon, script(text, { task_id: idOf(place) }));
    expect([place, end.cause, end.exit_code]).toEqual([place, 'exit', 3]);
  }
  await expectAnswers(daemon);
  await daemon.kill();
  await daemon.restart();
  await expectAnswers(daemon);
  await expectRemovals(daemon, taskDir);
  outside.check();
  await expectAllGone(daemon);
  outside.check();
});

test('a file system that never answers, over a directory of a running task or anything in it, holds up nobody', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '16'] });
  onTestFinished(() => {
    unmountAll(daemon.dataDir);
  });
  const taskDir = (place: string) => join(daemon.dataDir, 'tasks', idOf(place));
  for (const place of PLACES) {
    const text = 'echo before; echo before >&2; mkdir -p deep/er; echo > ../result.json; exec sleep 600';
    await submit(daemon, script(text, { task_id: idOf(place) }));
    await waitFor(() => fs.existsSync(join(taskDir(place), 'result.json')), { what: 'a task to be ready' });
    await silentMount(join(taskDir(place), place), isFile(place) ? 'file' : 'directory');
  }
  for (const place of PLACES) {
    expect((await http(daemon.url).get(`/api/v1/tasks/${idOf(place)}`)).status).toBe(200);
    expect((await http(daemon.url).post(`/api/v1/tasks/${idOf(place)}/kill`)).status).toBe(200);
    expect([place, (await waitForEnd(daemon, idOf(place))).cause]).toEqual([place, 'cancelled']);
  }
  await expectAnswers(daemon);
  await daemon.kill();
  await daemon.restart();
  await expectAnswers(daemon);
  await expectRemovals(daemon, taskDir);
  await expectAllGone(daemon);
});

test('nothing steps from one mount into another but the first step of a way', () => {
  const base = tempDir();
  const outside = precious();
  fs.mkdirSync(join(base, 'tasks/a/mounted'), { recursive: true });
  fs.writeFileSync(join(base, 'tasks/a/file'), '');
  bindMount(outside.directory, join(base, 'tasks/a/mounted'));
  bindMount(outside.file, join(base, 'tasks/a/file'));
  const codes = withDirectory(base, ['tasks', 'a'], (directory) =>
    [
      () => directory.directory('mounted'),
      () => directory.file('file'),
      () => directory.file('file', 'write'),
      () => directory.stat('file'),
      () => directory.stat('mounted'),
    ].map((step) => {
      try {
        step();
        return undefined;
      } catch (error) {
        return errnoOf(error);
      }
    }),
  );
  expect(codes).toEqual(Array(5).fill('EXDEV'));
  // An operator may mount what a way begins with.
  expect(
    withDirectory(join(base, 'tasks/a'), ['mounted', 'workspace'], (d) => d.names().map(String)),
  ).toEqual(['inner']);
  expect(withDirectory(base, ['tasks'], (tasks) => measureTree(tasks, 'a'))).toBe(0);
  outside.check();
});

test('a tree with mounts in it is removed up to them, on the same file system or another', () => {
  const base = tempDir();
  const outside = precious();
  const entry = join(base, 'trash/entry');
  for (const name of ['same/in/it', 'other', 'gone/in/it'])
    fs.mkdirSync(join(entry, name), { recursive: true });
  fs.writeFileSync(join(entry, 'file'), '');
  bindMount(outside.directory, join(entry, 'same/in/it'));
  bindMount(outside.file, join(entry, 'file'));
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(entry, 'other')]);
  onTestFinished(() => {
    unmountAll(base);
  });
  fs.writeFileSync(join(entry, 'other/kept'), 'kept');
  const remove = (name: string) => withDirectory(base, ['trash'], (trash) => removeTree(trash, name));
  const { problems } = remove('entry');
  expect(problems.filter((problem) => problem.includes('is a mount point'))).toHaveLength(3);
  outside.check();
  expect(fs.readFileSync(join(entry, 'other/kept'), 'utf8')).toBe('kept');
  expect(fs.existsSync(join(entry, 'gone'))).toBe(false);
  unmountAll(base);
  for (const name of fs.readdirSync(join(base, 'trash'))) expect(remove(name).problems).toEqual([]);
  expect(fs.readdirSync(join(base, 'trash'))).toEqual([]);
  outside.check();
});
