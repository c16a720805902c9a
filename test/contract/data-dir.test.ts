import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  cgroupName,
  command,
  execgo,
  execgoCommand,
  startDaemon,
  submitAndWait,
  tempDir,
} from '../harness/index.js';
import { reachableDataDir } from '../limits/support.js';

const HANG_GUARD_MS = 30_000;
const NOBODY = 65_534;
const DIRECTORIES = ['tasks', 'trash', 'supervisor', 'sessions'];

function serve(dataDir: string) {
  const args = ['serve', '--listen-addr', '127.0.0.1:0', '--data-dir', dataDir];
  return spawnSync(...execgoCommand(args), { encoding: 'utf8', timeout: HANG_GUARD_MS });
}

/** A data directory that a daemon has used, with one ended task in it. */
async function used(): Promise<string> {
  const daemon = await startDaemon();
  await submitAndWait(daemon, command('true', [], { task_id: 'ended' }));
  await daemon.stop();
  return daemon.dataDir;
}

/** What doctor finds of that kind. */
async function permissionProblems(dataDir: string): Promise<string[]> {
  const root = ['--cgroup-root', `/sys/fs/cgroup/${cgroupName()}`];
  const { stdout } = await execgo(['doctor', '--json', '--data-dir', dataDir, ...root]);
  const { findings } = JSON.parse(stdout) as {
    findings: { check: string; level: string; message: string }[];
  };
  return findings.filter((f) => f.check === 'permissions' && f.level === 'problem').map((f) => f.message);
}

function expectRefused(dataDir: string, what: string, words: RegExp): void {
  const { status, stderr } = serve(dataDir);
  expect(status, what).toBe(1);
  expect(stderr, what).toMatch(words);
  expect(stderr, what).not.toMatch(/\n\s+at /);
}

test('one that a stranger has put something in the place of is refused by all that would trust it', async () => {
  const dataDir = await used();
  const outside = tempDir();
  fs.writeFileSync(join(outside, 'precious'), 'precious');
  const trash = join(dataDir, 'trash');
  fs.renameSync(trash, `${trash}.away`);
  fs.symlinkSync(outside, trash);
  expectRefused(dataDir, 'a link as trash', /trash is not a directory; move it away/);
  const gc = await execgo(['gc', '--data-dir', dataDir, '--older-than', '0s']);
  expect([gc.code, gc.stderr]).toEqual([1, expect.stringContaining('trash is not a directory')]);
  expect(await permissionProblems(dataDir)).toEqual([expect.stringContaining('trash is not a directory')]);
  expect(fs.readFileSync(join(outside, 'precious'), 'utf8')).toBe('precious');
  fs.rmSync(trash);
  fs.renameSync(`${trash}.away`, trash);
  const daemon = await startDaemon({ dataDir });
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
});

test('one of its own that others may write to is closed, and one with something of theirs in it is refused', async () => {
  for (const name of ['', ...DIRECTORIES]) {
    const dataDir = await used();
    const open = join(dataDir, name);
    fs.chmodSync(open, 0o777);
    const theirs = join(open, 'theirs');
    fs.writeFileSync(theirs, '');
    fs.chownSync(theirs, NOBODY, NOBODY);
    expectRefused(dataDir, name, /theirs belongs to user 65534, and others may write.*chmod go-w/);
    expect(fs.statSync(open).mode & 0o777, name).toBe(0o777);
    fs.rmSync(theirs);
    const daemon = await startDaemon({ dataDir });
    expect(fs.statSync(open).mode & 0o777, name).toBe(0o700);
    await daemon.stop();
  }
});

test('what somebody else has put between the files of a supervisor is found, and root’s lost+found is none', async () => {
  const daemon = await startDaemon();
  const { dataDir } = daemon;
  const [incarnation = ''] = fs.readdirSync(join(dataDir, 'supervisor'));
  await daemon.kill();
  fs.chmodSync(dataDir, 0o777);
  const theirs = join(dataDir, 'supervisor', incarnation, 'theirs');
  fs.writeFileSync(theirs, '');
  fs.chownSync(theirs, NOBODY, NOBODY);
  expectRefused(dataDir, 'supervisor', /theirs belongs to user 65534, and others may write here/);
  fs.rmSync(theirs);
  fs.mkdirSync(join(dataDir, 'lost+found'), { mode: 0o700 });
  await daemon.restart();
  await daemon.stop();
});

test('a way to it that others can lead elsewhere is refused, and nothing is made at its end', async () => {
  const above = join(tempDir(), 'above');
  fs.mkdirSync(above);
  const dataDir = join(above, 'one/data');
  for (const [words, make] of Object.entries({
    'above is on the way to it, and everybody may write to it; .*--data-dir': () =>
      fs.chmodSync(above, 0o777),
    'above is on the way to it and belongs to user 65534': () => fs.chownSync(above, NOBODY, NOBODY),
  })) {
    make();
    expectRefused(dataDir, words, new RegExp(words));
    expect(fs.readdirSync(above)).toEqual([]);
    fs.chmodSync(above, 0o755);
  }
  fs.chownSync(above, 0, 0);
  const daemon = await startDaemon({ dataDir });
  await daemon.stop();
  fs.chmodSync(above, 0o777);
  expect(await permissionProblems(dataDir)).toEqual([
    expect.stringContaining('above is on the way to it, and everybody may write to it'),
  ]);
});

test.each([0o775, 0o755])('a new directory with mode %o starts and is closed', async (mode) => {
  const dataDir = join(tempDir(), 'data');
  fs.mkdirSync(dataDir);
  fs.writeFileSync(join(dataDir, '.gitkeep'), '');
  fs.chmodSync(dataDir, mode);
  // As a clone has it before the first start: nothing for a newcomer to worry about.
  const doctor = await execgo(['doctor', '--data-dir', dataDir]);
  expect([doctor.code, doctor.stdout]).toEqual([
    0,
    expect.stringContaining('is new: the first start makes it'),
  ]);
  expect(fs.statSync(dataDir).mode & 0o777).toBe(mode);
  const daemon = await startDaemon({ dataDir });
  expect(fs.statSync(dataDir).mode & 0o777).toBe(0o700);
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
});

test('doctor knows what --task-user sets, and nothing wider', async () => {
  const daemon = await startDaemon({ dataDir: reachableDataDir(), flags: ['--task-user', 'nobody'] });
  await submitAndWait(daemon, command('true'));
  const { dataDir } = daemon;
  const [tasks, sessions] = ['tasks', 'sessions'].map((name) => join(dataDir, name)) as [string, string];
  expect(await permissionProblems(dataDir)).toEqual([]);
  const nobody = fs.statSync(tasks).gid;
  fs.chownSync(sessions, 0, nobody + 1);
  expect(await permissionProblems(dataDir)).toEqual([
    expect.stringContaining('sessions can be used by others'),
  ]);
  fs.chownSync(sessions, 0, nobody);
  fs.chmodSync(tasks, 0o750);
  fs.chmodSync(join(dataDir, 'trash'), 0o710);
  expect(await permissionProblems(dataDir)).toEqual([
    expect.stringContaining('tasks can be used by others'),
    expect.stringContaining('trash can be used by others'),
  ]);
  // The flag is gone, and with it what let that group in.
  fs.chmodSync(tasks, 0o710);
  fs.chmodSync(join(dataDir, 'trash'), 0o700);
  await daemon.restart({ flags: [] });
  expect(await permissionProblems(dataDir)).toEqual([]);
  fs.chmodSync(tasks, 0o710);
  expect(await permissionProblems(dataDir)).toEqual([expect.stringContaining('tasks can be used by others')]);
});
