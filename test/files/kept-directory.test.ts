import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withKeptDirectory } from '../../src/files/kept-directory.js';
import { tempDir } from '../harness/index.js';

const openFiles = () => fs.readdirSync('/proc/self/fd').length;

function newDir(...names: string[]): string {
  const path = join(tempDir(), ...names);
  fs.mkdirSync(path, { recursive: true });
  return path;
}

test('what stands at the path counts, whatever was there before', () => {
  const dir = newDir('d');
  const [tasks, moved] = [join(dir, 'tasks'), join(dir, 'moved')];
  const make = (name: string) =>
    withKeptDirectory(dir, ['tasks'], (directory) => {
      directory.addDirectory(name, 0o700);
    });
  expect(() => make('a')).toThrow(/ENOENT/);
  fs.mkdirSync(tasks);
  make('a');
  fs.renameSync(tasks, moved);
  expect(() => make('b')).toThrow(/ENOENT/);
  fs.mkdirSync(tasks);
  make('b');
  fs.rmSync(tasks, { recursive: true });
  fs.symlinkSync('moved', tasks);
  expect(() => make('c')).toThrow(/ENOTDIR/);
  fs.rmSync(tasks);
  fs.renameSync(moved, tasks);
  make('c');
  expect(fs.readdirSync(tasks)).toEqual(['a', 'c']);
});

test('one directory stays open, however many are entered, and none in it', () => {
  const dirs = Array.from({ length: 3 }, () => newDir('tasks', 'id', 'x'));
  const enter = (dir: string) =>
    withKeptDirectory(join(dir, '..', '..', '..'), ['tasks', 'id'], (directory) =>
      directory.names().map(String),
    );
  dirs.forEach(enter);
  const before = openFiles();
  for (const dir of [...dirs, ...dirs]) expect(enter(dir)).toEqual(['x']);
  expect(() => withKeptDirectory(join(dirs[0]!, '../..'), ['id', 'y'], () => 0)).toThrow(/ENOENT/);
  expect(openFiles()).toBe(before);
});
