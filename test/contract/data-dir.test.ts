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

function expectRefused(dataDir: string, what: string, words: RegExp): void {
  const { status, stderr } = serve(dataDir);
  expect(status, what).toBe(1);
  expect(stderr, what).toMatch(words);
  expect(stderr, what).not.toMatch(/\n\s+at /);
}

test("what is not the own user's, or not what it should be, is refused with what to do", async () => {
  const dataDir = await used();
  const outside = tempDir();
  fs.writeFileSync(join(outside, 'precious'), 'precious');
  const entries = [...DIRECTORIES, 'runtime.db', 'daemon.lock'];
  for (const name of entries) {
    const entry = join(dataDir, name);
    fs.chownSync(entry, NOBODY, NOBODY);
    expectRefused(dataDir, name, new RegExp(`${name} belongs to user 65534.*chown`));
    fs.chownSync(entry, 0, 0);
    fs.renameSync(entry, `${entry}.away`);
    for (const [kind, make] of Object.entries({
      'a link to outside': () => fs.symlinkSync(outside, entry),
      'a dangling link': () => fs.symlinkSync(join(outside, 'none'), entry),
      'a FIFO': () => spawnSync('mkfifo', [entry]),
      'the other kind': () =>
        DIRECTORIES.includes(name) ? fs.writeFileSync(entry, '') : fs.mkdirSync(entry),
    })) {
      make();
      expectRefused(
        dataDir,
        `${name}: ${kind}`,
        new RegExp(`${name} is not a (directory|regular file); move it away`),
      );
      fs.rmSync(entry, { recursive: true });
    }

    fs.symlinkSync(outside, entry);
    const gc = await execgo(['gc', '--data-dir', dataDir, '--older-than', '0s']);
    expect(gc.code, `gc beside a link as ${name}`).toBe(1);
    fs.rmSync(entry);
    fs.renameSync(`${entry}.away`, entry);
  }
  fs.chownSync(dataDir, NOBODY, NOBODY);
  expectRefused(dataDir, 'the directory', /belongs to user 65534.*chown -R 0 .*--data-dir/);
  fs.chownSync(dataDir, 0, 0);
  const link = join(tempDir(), 'link');
  fs.symlinkSync(dataDir, link);
  fs.lchownSync(link, NOBODY, NOBODY);
  expectRefused(link, 'a link of somebody else', /is a link of user 65534/);
  expect(fs.readFileSync(join(outside, 'precious'), 'utf8')).toBe('precious');
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
    expect(fs.statSync(open).mode & 0o022, name).toBe(0);
    await daemon.stop();
  }
});

test('a directory made with umask 002 starts and is closed', async () => {
  const dataDir = join(tempDir(), 'data');
  fs.mkdirSync(dataDir);
  fs.chmodSync(dataDir, 0o775);
  const daemon = await startDaemon({ dataDir });
  expect(fs.statSync(dataDir).mode & 0o777).toBe(0o755);
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
});

test('doctor knows what --task-user sets, and nothing wider', async () => {
  const daemon = await startDaemon({ dataDir: reachableDataDir(), flags: ['--task-user', 'nobody'] });
  await submitAndWait(daemon, command('true'));
  const permissions = async () => {
    const root = ['--cgroup-root', `/sys/fs/cgroup/${cgroupName()}`];
    const { stdout } = await execgo(['doctor', '--json', '--data-dir', daemon.dataDir, ...root]);
    const { findings } = JSON.parse(stdout) as {
      findings: { check: string; level: string; message: string }[];
    };
    return findings.filter((f) => f.check === 'permissions' && f.level === 'problem').map((f) => f.message);
  };
  expect(await permissions()).toEqual([]);
  fs.chmodSync(join(daemon.dataDir, 'tasks'), 0o750);
  fs.chmodSync(join(daemon.dataDir, 'trash'), 0o710);
  expect(await permissions()).toEqual([
    expect.stringContaining('tasks can be used by others'),
    expect.stringContaining('trash can be used by others'),
  ]);
});
