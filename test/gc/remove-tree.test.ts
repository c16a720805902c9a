import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { withDirectory } from '../../src/files/directory.js';
import { measureTree as measureIn } from '../../src/runtime/upkeep/measure-tree.js';
import { removeTree as removeIn } from '../../src/runtime/upkeep/remove-tree.js';
import { tempDir } from '../harness/index.js';

const measureTree = (root: string) =>
  withDirectory(dirname(root), [], (parent) => measureIn(parent, basename(root)));
const removeTree = (trash: string, name: string) =>
  withDirectory(trash, [], (directory) => removeIn(directory, name));

/** A trash with one entry, beside something that must not be touched. */
function trash() {
  const base = tempDir();
  const [dir, outside] = [join(base, 'trash'), join(base, 'outside')];
  const entry = join(dir, 'entry');
  fs.mkdirSync(entry, { recursive: true });
  fs.mkdirSync(join(outside, 'sub'), { recursive: true });
  fs.writeFileSync(join(outside, 'sub', 'precious'), 'precious');
  return {
    dir,
    outside,
    entry,
    remove: () => removeTree(dir, 'entry'),
    check: () => {
      expect(fs.readdirSync(dir)).toEqual([]);
      expect(fs.readFileSync(join(outside, 'sub', 'precious'), 'utf8')).toBe('precious');
      expect(fs.statSync(join(outside, 'sub')).mode & 0o777).toBe(0o755);
    },
  };
}

const sh = (cwd: string, script: string, ...args: string[]) => {
  const { status, stderr } = spawnSync('/bin/sh', ['-c', script, 'sh', ...args], { cwd, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
};

describe('everything is removed, and nothing outside is touched', () => {
  test('files, directories, and what they give back', () => {
    const t = trash();
    sh(t.entry, 'mkdir -p a/b/c empty; head -c 100000 /dev/zero > a/b/big; echo x > a/b/c/small');
    const measured = measureTree(t.entry);
    expect(measured).toBeGreaterThanOrEqual(100_000);
    expect(t.remove()).toEqual({ bytes: measured, problems: [] });
    t.check();
  });

  test('links to outside: of files, of directories, dangling, in circles', () => {
    const t = trash();
    sh(
      t.entry,
      'ln -s "$1" dir; ln -s "$1/sub/precious" file; ln -s /nowhere dangling; ln -s . here; ln -s .. up; ln -s loop loop',
      t.outside,
    );
    expect(t.remove()).toEqual({ bytes: expect.any(Number), problems: [] });
    t.check();
  });

  test('the entry itself a link', () => {
    const t = trash();
    fs.rmdirSync(t.entry);
    fs.symlinkSync(t.outside, t.entry);
    expect(t.remove().problems).toEqual([]);
    t.check();
  });

  test('hard links: only the last name gives space back', () => {
    const t = trash();
    sh(
      t.entry,
      'head -c 50000 /dev/zero > a; ln a b; head -c 50000 /dev/zero > "$1/shared"; ln "$1/shared" c',
      t.outside,
    );
    const measured = measureTree(t.entry);
    expect(t.remove()).toEqual({ bytes: measured, problems: [] });
    expect(measured).toBeGreaterThanOrEqual(50_000);
    expect(measured).toBeLessThan(100_000);
    expect(fs.statSync(join(t.outside, 'shared')).size).toBe(50_000);
    t.check();
  });

  test('2,000 levels deep, longer than any path may be', () => {
    const t = trash();
    // From the bottom up: no path of this process is ever long.
    const [inner, outer] = [join(t.dir, 'inner'), join(t.dir, 'outer')];
    fs.mkdirSync(inner);
    fs.writeFileSync(join(inner, 'deepest'), 'x');
    for (let i = 0; i < 2000; i++) {
      fs.mkdirSync(outer);
      fs.renameSync(inner, join(outer, 'level'));
      fs.renameSync(outer, inner);
    }
    fs.renameSync(inner, t.entry);
    expect(() => fs.statSync(join(t.entry, 'level/'.repeat(2000)))).toThrow('ENAMETOOLONG');
    measureTree(t.entry);
    expect(t.remove().problems).toEqual([]);
    t.check();
  });

  test('names of odd bytes', () => {
    const t = trash();
    for (const name of [
      Buffer.from([0xff, 0xfe]),
      Buffer.from(' \n\t'),
      Buffer.from('-rf'),
      Buffer.from('é\x01*'),
    ]) {
      const child = Buffer.concat([Buffer.from(`${t.entry}/`), name]);
      fs.mkdirSync(child);
      fs.writeFileSync(Buffer.concat([child, Buffer.from('/'), name]), 'x');
    }
    expect(measureTree(t.entry)).toBeGreaterThan(0);
    expect(t.remove().problems).toEqual([]);
    t.check();
  });

  test('FIFOs, sockets and devices', async () => {
    const t = trash();
    sh(t.entry, 'mkfifo fifo; mknod null c 1 3');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(t.entry, 'socket'), resolve));
    onTestFinished(() => void server.close());
    measureTree(t.entry);
    expect(t.remove().problems).toEqual([]);
    t.check();
  });

  test('files and directories without any right', () => {
    const t = trash();
    sh(t.entry, 'mkdir -p a/b/c; echo x > a/b/c/f; chmod 0 a/b/c/f a/b/c a/b a .');
    expect(t.remove().problems).toEqual([]);
    t.check();
  });

  test('a name that is not there', () => {
    const t = trash();
    expect(removeTree(t.dir, 'no-such')).toEqual({ bytes: 0, problems: [] });
  });
});

describe('what cannot be removed', () => {
  test('is told, and the rest goes', () => {
    const t = trash();
    sh(t.entry, 'mkdir -p keep/in; echo x > keep/in/stuck; echo x > other; chattr +i keep/in/stuck');
    const found = () => spawnSync('find', [t.dir, '-name', 'stuck'], { encoding: 'utf8' }).stdout.trim();
    onTestFinished(() => {
      if (found() !== '') sh('/', 'chattr -i "$1"', found());
    });
    const { problems } = t.remove();
    expect(problems[0]).toMatch(/stuck: EPERM/);
    expect(problems.length).toBeLessThanOrEqual(10);
    expect(spawnSync('find', [t.dir, '-type', 'f'], { encoding: 'utf8' }).stdout.trim()).toBe(found());
    sh('/', 'chattr -i "$1"', found());
    for (const name of fs.readdirSync(t.dir)) expect(removeTree(t.dir, name).problems).toEqual([]);
    t.check();
  });

  test('is told ten times at most', () => {
    const t = trash();
    sh(t.entry, 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo > $i; done; chattr +i *');
    onTestFinished(() => {
      sh('/', 'chattr -R -i "$1"', t.dir);
    });
    expect(t.remove().problems).toHaveLength(10);
  });
});

test('a directory that is swapped for a link to outside, all the time, leads nowhere', async () => {
  const t = trash();
  fs.writeFileSync(join(t.outside, 'also'), 'precious');
  // Swaps between a real directory and a link under the same name while both are being removed.
  sh(t.entry, 'mkdir real; i=0; while [ $i -lt 300 ]; do echo > real/$i; mkdir -p d$i/x; i=$((i+1)); done');
  const swapper = spawnSwapper(t.entry, t.outside);
  try {
    for (let i = 0; i < 50; i++) {
      removeTree(t.dir, 'entry');
      await new Promise((resolve) => setImmediate(resolve));
      fs.mkdirSync(t.entry, { recursive: true });
    }
  } finally {
    await swapper();
  }
  for (const name of fs.readdirSync(t.dir)) expect(removeTree(t.dir, name).problems).toEqual([]);
  t.check();
  expect(fs.readFileSync(join(t.outside, 'also'), 'utf8')).toBe('precious');
});

/** A process that goes on swapping `victim` in `dir` until the returned function is called. */
function spawnSwapper(dir: string, target: string): () => Promise<void> {
  const script = `while :; do
    mkdir -p "$1/victim/sub" && echo x > "$1/victim/sub/f"; mv -T "$1/victim" "$1/away"; ln -s "$2" "$1/victim"
    rm -f "$1/victim"; mv -T "$1/away" "$1/victim"; done 2>/dev/null`;
  const child = spawn('/bin/sh', ['-c', script, 'sh', dir, target], { stdio: 'ignore' });
  return () =>
    new Promise((resolve) => {
      child.on('exit', () => resolve());
      child.kill('SIGKILL');
    });
}
