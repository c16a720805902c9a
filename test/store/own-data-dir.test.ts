import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Distrust, ensureOwn, whyNotOwn } from '../../src/store/database/own-data-dir.js';
import { tempDir } from '../harness/temp-dir.js';

const NOBODY = 65_534;
const DIRECTORIES = ['tasks', 'trash', 'supervisor', 'sessions'];
const FILES = ['runtime.db', 'runtime.db-wal', 'daemon.lock', 'daemon.json'];

/** As a daemon leaves it. */
function used(): string {
  const dataDir = join(tempDir(), 'data');
  for (const name of ['', ...DIRECTORIES]) fs.mkdirSync(join(dataDir, name), { mode: 0o700 });
  for (const name of FILES) fs.writeFileSync(join(dataDir, name), '', { mode: 0o600 });
  return dataDir;
}

/** Both the start and the look before it, which changes nothing, say the same. */
function expectDistrust(dataDir: string, what: string, words: RegExp): void {
  expect(whyNotOwn(dataDir)?.message, what).toMatch(words);
  expect(() => ensureOwn(dataDir), what).toThrow(Distrust);
}

test.each([...DIRECTORIES, ...FILES])('%s that is not real and the own user’s is refused', (name) => {
  const dataDir = used();
  const outside = tempDir();
  const entry = join(dataDir, name);
  ensureOwn(dataDir);
  fs.chownSync(entry, NOBODY, NOBODY);
  expectDistrust(dataDir, 'another owner', new RegExp(`${name} belongs to user 65534, .*chown`));
  fs.rmSync(entry, { recursive: true });
  for (const [kind, make] of Object.entries({
    'a link to outside': () => fs.symlinkSync(outside, entry),
    'a dangling link': () => fs.symlinkSync(join(outside, 'none'), entry),
    'a link to itself': () => fs.symlinkSync(name, entry),
    'a FIFO': () => spawnSync('mkfifo', [entry]),
    'the other kind': () =>
      DIRECTORIES.includes(name) ? fs.writeFileSync(entry, '') : fs.mkdirSync(entry, { mode: 0o700 }),
  })) {
    make();
    expectDistrust(dataDir, kind, new RegExp(`${name} is not a (directory|regular file); move it away`));
    fs.rmSync(entry, { recursive: true });
  }
  ensureOwn(dataDir);
});

test('one that is another user’s, or that a link of another user leads to, is refused', () => {
  const dataDir = used();
  fs.chownSync(dataDir, NOBODY, NOBODY);
  expectDistrust(dataDir, 'the directory', /belongs to user 65534.*chown -R 0 .*--data-dir/);
  fs.chownSync(dataDir, 0, 0);
  const link = join(tempDir(), 'link');
  fs.symlinkSync(dataDir, link);
  ensureOwn(link);
  fs.lchownSync(link, NOBODY, NOBODY);
  expectDistrust(link, 'a link', /is a link of user 65534/);
});

test.each(['', ...DIRECTORIES])(
  '"%s" that others may write to is closed, unless something of theirs is in it',
  (name) => {
    const dataDir = used();
    const open = join(dataDir, name);
    fs.mkdirSync(join(dataDir, 'supervisor/one'), { mode: 0o755 });
    fs.mkdirSync(join(dataDir, 'lost+found'), { mode: 0o700 });
    for (const mode of [0o770, 0o777, 0o702]) {
      fs.chmodSync(open, mode);
      for (const place of [open, join(dataDir, 'supervisor/one')]) {
        const theirs = join(place, 'theirs');
        fs.writeFileSync(theirs, '');
        fs.chownSync(theirs, NOBODY, NOBODY);
        expectDistrust(dataDir, place, /theirs belongs to user 65534, and others may write.*chmod go-w/);
        fs.rmSync(theirs);
        const own = join(tempDir(), 'own');
        fs.writeFileSync(own, '');
        fs.linkSync(own, theirs);
        expectDistrust(dataDir, place, /theirs has another name elsewhere/);
        fs.rmSync(theirs);
      }
      expect(fs.statSync(open).mode & 0o777).toBe(mode);
      ensureOwn(dataDir);
      expect(fs.statSync(open).mode & 0o777).toBe(0o700);
    }
  },
);

test('a new one is made private, one in use keeps the modes that somebody has given it', () => {
  const dataDir = used();
  fs.chmodSync(dataDir, 0o755);
  fs.chmodSync(join(dataDir, 'tasks'), 0o710);
  ensureOwn(dataDir);
  expect([dataDir, join(dataDir, 'tasks')].map((dir) => fs.statSync(dir).mode & 0o777)).toEqual([
    0o755, 0o710,
  ]);
  fs.rmSync(join(dataDir, 'runtime.db'));
  ensureOwn(dataDir);
  expect(fs.statSync(dataDir).mode & 0o777).toBe(0o700);
});
