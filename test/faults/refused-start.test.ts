import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  cpSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { command, execgo, startDaemon, submitAndWait, tempDir } from '../harness/index.js';
import { EXECUTABLE } from '../harness/executable.js';
import { mountDisk } from './disk.js';

/** Hash, mode and owner of everything below `dir`, by path. What the lock of a daemon leaves is left out. */
function fingerprint(dir: string): Record<string, string> {
  const entries = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name !== 'daemon.lock',
  );
  return Object.fromEntries(
    entries.sort().map((name) => {
      const path = join(dir, name);
      const stat = lstatSync(path);
      const hash = stat.isFile()
        ? createHash('sha256').update(readFileSync(path)).digest('hex')
        : 'directory';
      return [name, `${hash} ${stat.mode.toString(8)} ${stat.uid} ${stat.isFile() ? stat.mtimeMs : ''}`];
    }),
  );
}

/** A data directory with a task in it that no daemon holds. */
async function usedDataDir(): Promise<string> {
  const daemon = await startDaemon();
  await submitAndWait(daemon, command('/bin/echo', ['kept']));
  await daemon.stop();
  return daemon.dataDir;
}

/** Starts a daemon that must refuse, within one line that matches, and must change nothing. */
async function expectRefusal(what: string, dataDir: string, message: RegExp): Promise<void> {
  const before = fingerprint(dataDir);
  const { code, stdout, stderr } = await execgo([
    ...['serve', '--listen-addr', '127.0.0.1:0', '--disable-cgroup', '--data-dir', dataDir],
  ]);
  expect({ code, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({
    code: 1,
    stdout: '',
    lines: 1,
  });
  expect(stderr).toMatch(message);
  expect(stderr).toContain(dataDir);
  expect(fingerprint(dataDir)).toEqual(before);
}

function alter(dataDir: string, sql: string): void {
  const db = new Database(join(dataDir, 'runtime.db'));
  db.exec(sql);
  db.close();
}

function scribble(path: string, offset: number, bytes: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(bytes, 0x5a), 0, bytes, offset);
  closeSync(fd);
}

function readOnly(dir: string): void {
  execFileSync('mount', ['--bind', dir, dir]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', dir]);
  });
  execFileSync('mount', ['-o', 'remount,bind,ro', dir]);
}

const DAMAGE: Record<string, [damage: (dataDir: string) => void, message: RegExp]> = {
  'a newer database': [
    (dir) => alter(dir, "INSERT INTO schema_migrations VALUES (1000, 'later', 'x', 1)"),
    /runtime\.db.*newer execgo.*start that version, or restore a backup/,
  ],
  'a changed migration': [
    (dir) => alter(dir, "UPDATE schema_migrations SET checksum = 'x' WHERE id = 2"),
    /runtime\.db.*checksum differs.*restore a backup/,
  ],
  'a database that is none': [
    (dir) => writeFileSync(join(dir, 'runtime.db'), 'hello'),
    /runtime\.db.*not a SQLite database.*restore a backup/,
  ],
  'a damaged database': [
    (dir) => scribble(join(dir, 'runtime.db'), 100, 3000),
    /runtime\.db.*damaged.*restore a backup/,
  ],
  'a truncated database': [
    (dir) => truncateSync(join(dir, 'runtime.db'), 8192),
    /runtime\.db.*damaged.*restore a backup/,
  ],
  "another user's data directory": [
    (dir) => {
      for (const name of ['', ...readdirSync(dir, { recursive: true, encoding: 'utf8' })])
        lchownSync(join(dir, name), 12_345, 12_345);
    },
    /cannot be trusted: .*belongs to user 12345/,
  ],
  'a read-only database': [
    (dir) => chmodSync(join(dir, 'runtime.db'), 0o400),
    /runtime\.db.*read-only.*chmod/,
  ],
  'a read-only mount': [readOnly, /cannot be used: read-only file system; mount its file system writable/],
};

test('each of these is refused and left as it is', async () => {
  const used = await usedDataDir();
  for (const [what, [damage, message]] of Object.entries(DAMAGE)) {
    const dataDir = join(tempDir(), 'data');
    cpSync(used, dataDir, { recursive: true, preserveTimestamps: true });
    damage(dataDir);
    await expectRefusal(what, dataDir, message);
  }
});

test('what is refused is left as it is also while processes of the older runtime are looked for in it', async () => {
  const shim = spawn('/bin/sh', ['-c', 'read line', 'execgo-runtime', 'internal-shim', '--task-id', 'any'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  onTestFinished(() => void shim.kill('SIGKILL'));
  const used = await usedDataDir();
  for (const what of ['a newer database', 'a damaged database', 'a read-only database']) {
    const dataDir = join(tempDir(), 'data');
    cpSync(used, dataDir, { recursive: true, preserveTimestamps: true });
    const [damage, message] = DAMAGE[what]!;
    damage(dataDir);
    await expectRefusal(what, dataDir, message);
  }
});

test('a new data directory on a read-only mount is refused', async () => {
  const parent = tempDir();
  readOnly(parent);
  const { code, stderr } = await execgo(['serve', '--data-dir', join(parent, 'data')]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/data directory .*data cannot be used: read-only file system/);
});

test('a data directory that is a file, or below one, is refused', async () => {
  const file = join(tempDir(), 'file');
  writeFileSync(file, 'mine');
  for (const dataDir of [file, join(file, 'data')]) {
    const { code, stderr } = await execgo(['serve', '--data-dir', dataDir]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/data directory .*file(\/data)? cannot be used/);
  }
  expect(readFileSync(file, 'utf8')).toBe('mine');
});

test('a data directory that this user may not enter is refused', () => {
  const dataDir = join(tempDir(), 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  lchownSync(dataDir, 12_345, 12_345);
  // Without capabilities root is a user like any other.
  const asUser = ['--inh-caps=-all', '--bounding-set=-all', process.execPath, EXECUTABLE];
  const { status, stderr } = spawnSync('setpriv', [...asUser, 'serve', '--data-dir', dataDir], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/data directory .*cannot be trusted: .*belongs to user 12345/);
  expect(readdirSync(dataDir)).toEqual([]);
});

test('a full disk is named at the start, and serves once it has room', async () => {
  const disk = mountDisk(join(tempDir(), 'data'), 1);
  disk.fill();
  const { code, stderr } = await execgo(['serve', '--data-dir', disk.path]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/runtime\.db.*its disk is full: make room there/);
  disk.free();
  const daemon = await startDaemon({ dataDir: disk.path });
  expect(await submitAndWait(daemon, command('/bin/true'))).toMatchObject({ status: 'success' });
});
