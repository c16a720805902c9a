import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { withDirectory } from '../../../src/files/directory.js';
import { digestTree, type TreeBounds } from '../../../src/runtime/upkeep/digest-tree.js';
import { tempDir } from '../../harness/temp-dir.js';

const BOUNDS: TreeBounds = { entries: 100, depth: 8, ms: 60_000 };

function tree() {
  const sessions = tempDir();
  const root = path.join(sessions, 's', 'workspace');
  fs.mkdirSync(root, { recursive: true });
  const look = (bounds: Partial<TreeBounds> = {}) =>
    withDirectory(sessions, [], (directory) => digestTree(directory, 's', { ...BOUNDS, ...bounds }));
  return { root, look };
}

test('each change is another digest, and none is the same one', () => {
  const { root, look } = tree();
  const at = (name: string) => path.join(root, name);
  const seen = new Set([look()?.digest]);
  const steps: (() => void)[] = [
    () => fs.writeFileSync(at('f'), 'one'),
    () => fs.chmodSync(at('f'), 0o640),
    () => fs.writeFileSync(at('f'), 'two'),
    () => fs.renameSync(at('f'), at('g')),
    () => fs.mkdirSync(at('d')),
    () => fs.symlinkSync('g', at('l')),
    () => {
      fs.unlinkSync(at('l'));
      fs.symlinkSync('h', at('l'));
    },
    () => fs.mkdirSync(at('d/e')),
    // The names and what is said of them do not run into each other.
    () => fs.mkdirSync(at('d\ne')),
  ];
  for (const [i, step] of steps.entries()) {
    step();
    const { digest } = look() ?? {};
    expect(look()?.digest, `step ${i}`).toBe(digest);
    expect(seen.has(digest), `step ${i}`).toBe(false);
    seen.add(digest);
  }
});

test('is bounded in number, depth and time, and says that it was', () => {
  const { root, look } = tree();
  for (let i = 0; i < 60; i++) fs.writeFileSync(path.join(root, `f${i}`), '');
  fs.mkdirSync(path.join(root, 'a/b/c/d'), { recursive: true });
  expect(look()).toMatchObject({ files: 60, directories: 4, digest: expect.any(String) });
  expect(look({ entries: 64 })?.digest).toBeDefined();
  for (const bounds of [{ entries: 63 }, { entries: 1 }, { depth: 4 }, { depth: 1 }, { ms: -1 }]) {
    const found = look(bounds);
    expect(found?.digest, JSON.stringify(bounds)).toBeUndefined();
    expect((found?.files ?? 0) + (found?.directories ?? 0)).toBeLessThanOrEqual(bounds.entries ?? 64);
  }
});

test('of a session without a workspace there is none', () => {
  const { root, look } = tree();
  fs.rmdirSync(root);
  expect(look()).toBeUndefined();
  fs.symlinkSync('/', root);
  expect(look()).toBeUndefined();
});
