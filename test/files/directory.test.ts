import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Directory, withDirectory } from '../../src/files/directory.js';
import { errnoOf } from '../../src/files/errno.js';
import { replaceFile, unfinishedName } from '../../src/files/replace-file.js';
import { tempDir } from '../harness/index.js';

/** The code of what `action` throws. */
function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return errnoOf(error);
  }
}

function openFiles(): number {
  return fs.readdirSync('/proc/self/fd').length;
}

/** A directory with one of everything, and what opening each as a file comes to. */
async function oneOfEach(): Promise<{
  dir: string;
  files: Record<string, string | undefined>;
  end: () => void;
}> {
  const dir = tempDir();
  const at = (name: string) => join(dir, name);
  fs.writeFileSync(at('file'), 'text');
  fs.mkdirSync(at('dir'));
  execFileSync('mkfifo', [at('fifo')]);
  fs.symlinkSync('file', at('link'));
  fs.symlinkSync('/nothing', at('dangling'));
  fs.symlinkSync('loop', at('loop'));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(at('socket'), resolve));
  const isRoot = process.getuid?.() === 0;
  if (isRoot) execFileSync('mknod', [at('device'), 'c', '1', '3']);
  return {
    dir,
    files: {
      file: undefined,
      ...Object.fromEntries(
        ['dir', 'fifo', 'link', 'dangling', 'loop', 'socket'].map((n) => [n, 'ENOTFILE']),
      ),
      ...(isRoot ? { device: 'ENOTFILE' } : {}),
      nothing: 'ENOENT',
    },
    end: () => server.close(),
  };
}

test('nothing but a regular file is opened, and nothing is waited for', async () => {
  const { dir, files, end } = await oneOfEach();
  const directory = Directory.open(dir);
  const before = openFiles();
  for (const access of ['read', 'write'] as const)
    for (const [name, code] of Object.entries(files)) {
      const found = codeOf(() => {
        fs.closeSync(directory.file(name, access).fd);
      });
      expect([name, access, found]).toEqual([name, access, code]);
    }
  expect(openFiles()).toBe(before);
  directory.close();
  end();
});

test('nothing but a directory is entered', async () => {
  const { dir, files, end } = await oneOfEach();
  fs.symlinkSync('dir', join(dir, 'link-to-dir'));
  const before = openFiles();
  for (const name of [...Object.keys(files), 'link-to-dir']) {
    const found = codeOf(() => withDirectory(dir, [name], () => undefined));
    expect([name, found]).toEqual([
      name,
      name === 'dir' ? undefined : name === 'nothing' ? 'ENOENT' : 'ENOTDIR',
    ]);
  }
  expect(openFiles()).toBe(before);
  end();
});

test('a directory that was opened stays the one, whatever has its name', () => {
  const dir = tempDir();
  const outside = tempDir();
  fs.mkdirSync(join(dir, 'a/b'), { recursive: true });
  withDirectory(dir, ['a', 'b'], (b) => {
    fs.renameSync(join(dir, 'a'), join(dir, 'moved'));
    fs.symlinkSync(outside, join(dir, 'a'));
    fs.closeSync(b.makeFile('made', 0o600));
    b.makeDirectory('inner', 0o700).close();
  });
  expect(fs.readdirSync(outside)).toEqual([]);
  expect(fs.readdirSync(join(dir, 'moved/b')).sort()).toEqual(['inner', 'made']);
});

test('names that lead elsewhere are refused', () => {
  withDirectory(tempDir(), [], (directory) => {
    for (const name of ['', '.', '..', 'a/b', '/etc', 'a\0b'])
      expect(() => directory.file(name)).toThrow('not the name of a directory entry');
  });
});

test('errors say where a thing is, and not by which descriptor it was reached', () => {
  const dir = tempDir();
  fs.mkdirSync(join(dir, 'sub/way'), { recursive: true });
  withDirectory(dir, ['sub'], (sub) => {
    expect(() => sub.file('none')).toThrow(`ENOENT: no such file or directory, open '${dir}/sub/none'`);
    expect(() => sub.file('way')).toThrow(`${dir}/sub/way is a directory, not a file`);
    expect(() => sub.makeDirectory('way', 0o700)).toThrow(`'${dir}/sub/way'`);
  });
});

test('a file is replaced in one step, and what is in the way is not written to', () => {
  const dir = tempDir();
  const outside = join(tempDir(), 'outside');
  fs.writeFileSync(outside, 'untouched');
  const target = join(dir, 'result');
  const hello = [Buffer.from('hel'), Buffer.from('lo')];
  withDirectory(dir, [], (directory) => {
    for (const put of [
      () => undefined,
      () => fs.writeFileSync(target, 'old'),
      () => fs.symlinkSync(outside, target),
      () => execFileSync('mkfifo', [target]),
    ]) {
      fs.rmSync(target, { force: true });
      put();
      replaceFile(directory, 'result', hello, { mode: 0o600 });
      expect(fs.lstatSync(target).mode & 0o170777).toBe(0o100600);
      expect(fs.readFileSync(target, 'utf8')).toBe('hello');
    }
    fs.rmSync(target);
    fs.mkdirSync(target);
    expect(codeOf(() => replaceFile(directory, 'result', hello, { mode: 0o600 }))).toBe('EISDIR');
  });
  expect(fs.readdirSync(dir)).toEqual(['result']);
  expect(fs.readFileSync(outside, 'utf8')).toBe('untouched');
});

test('an unfinished file is known by its name', () => {
  const names: string[] = [];
  withDirectory(tempDir(), [], (directory) => {
    replaceFile(directory, 'result.json', [], {
      mode: 0o600,
      prepare: () => names.push(...directory.names().map(String)),
    });
  });
  expect(names.map(unfinishedName)).toEqual(['result.json']);
  for (const other of ['result.json', 'result.json.tmp', '.result.json.tmp', '.x.1234.tmp'])
    expect(unfinishedName(other)).toBeUndefined();
});

test('a directory is given away and opened by its descriptor', () => {
  if (process.getuid?.() !== 0) return;
  const dir = tempDir();
  const outside = tempDir();
  withDirectory(dir, [], (directory) => {
    const made = directory.makeDirectory('own', 0o700);
    fs.renameSync(join(dir, 'own'), join(dir, 'moved'));
    fs.symlinkSync(outside, join(dir, 'own'));
    made.chown(65_534, 65_534);
    made.chmod(0o750);
    expect(made.self()).toMatchObject({ uid: 65_534, gid: 65_534 });
    made.close();
  });
  expect(fs.statSync(join(dir, 'moved')).mode & 0o777).toBe(0o750);
  expect(fs.statSync(outside)).toMatchObject({ uid: 0 });
});
