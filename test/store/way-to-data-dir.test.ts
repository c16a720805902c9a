import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { weakPlaceAbove } from '../../src/store/database/way-to-data-dir.js';
import { tempDir } from '../harness/temp-dir.js';

const ME = 4_242;
const OTHER = 4_243;

/** `…/above/data`, all of it mine and private. */
function way(): { base: string; above: string; dataDir: string } {
  const base = tempDir();
  const above = join(base, 'above');
  const dataDir = join(above, 'data');
  fs.mkdirSync(dataDir, { recursive: true, mode: 0o755 });
  for (const dir of [above, dataDir]) fs.chownSync(dir, ME, ME);
  return { base, above, dataDir };
}

/** What may be done to the directory above without others deciding what is below it. */
const FINE: Record<string, (above: string) => void> = {
  'my own': () => undefined,
  'root’s': (above) => fs.chownSync(above, 0, 0),
  'everybody’s, sticky': (above) => fs.chmodSync(above, 0o1777),
  'root’s, everybody’s, sticky': (above) => {
    fs.chownSync(above, 0, 0);
    fs.chmodSync(above, 0o1777);
  },
  'writable for a group with my own number that nobody else is in': (above) => fs.chmodSync(above, 0o775),
  'writable for the group of root': (above) => {
    fs.chownSync(above, 0, 0);
    fs.chmodSync(above, 0o775);
  },
};

const WEAK: Record<string, [problem: RegExp, make: (above: string) => void]> = {
  'somebody else’s': [/belongs to user 4243/, (above) => fs.chownSync(above, OTHER, OTHER)],
  'somebody else’s, sticky': [
    /belongs to user 4243/,
    (above) => {
      fs.chownSync(above, OTHER, OTHER);
      fs.chmodSync(above, 0o1777);
    },
  ],
  'everybody’s': [/everybody may write/, (above) => fs.chmodSync(above, 0o777)],
  'everybody’s, but not their group’s': [/everybody may write/, (above) => fs.chmodSync(above, 0o707)],
  'writable for a group that nobody knows': [
    /group 4243 may write/,
    (above) => {
      fs.chownSync(above, ME, OTHER);
      fs.chmodSync(above, 0o775);
    },
  ],
  // On every Linux it is the group of nobody.
  'writable for the group of another user': [
    /group 65534 may write/,
    (above) => {
      fs.chownSync(above, ME, 65_534);
      fs.chmodSync(above, 0o775);
    },
  ],
};

test.each(Object.entries(FINE))('a directory that is %s is trusted', (_what, make) => {
  const { above, dataDir } = way();
  make(above);
  expect(weakPlaceAbove(dataDir, ME)).toBeUndefined();
  expect(weakPlaceAbove(join(above, 'not/there'), ME)).toBeUndefined();
});

test.each(Object.entries(WEAK))('a directory that is %s is not', (_what, [problem, make]) => {
  const { base, above, dataDir } = way();
  make(above);
  for (const end of [dataDir, join(above, 'not/there')])
    expect(weakPlaceAbove(end, ME)).toMatchObject({ path: above, problem: expect.stringMatching(problem) });

  // However the way leads there.
  for (const [n, target] of ['above', './above/data/..', join(base, 'above'), 'more/../above'].entries()) {
    const link = join(base, `link-${n}`);
    fs.mkdirSync(join(base, 'more'), { recursive: true });
    fs.symlinkSync(target, link);
    expect(weakPlaceAbove(join(link, 'data'), ME), target).toMatchObject({ path: above });
  }
});

test('of links only root’s and my own are followed, and a loop ends', () => {
  const { base, above, dataDir } = way();
  for (const name of ['mine', 'theirs']) {
    fs.symlinkSync(above, join(base, name));
    fs.lchownSync(join(base, name), name === 'mine' ? ME : OTHER, 0);
  }
  expect(weakPlaceAbove(join(base, 'mine/data'), ME)).toBeUndefined();
  expect(weakPlaceAbove(join(base, 'theirs/data'), ME)).toMatchObject({
    path: join(base, 'theirs'),
    problem: 'is a link of user 4243',
  });
  fs.symlinkSync('loop', join(base, 'loop'));
  expect(weakPlaceAbove(join(base, 'loop/data'), ME)).toBeUndefined();
  // The directory at its end is looked at by others.
  fs.chmodSync(dataDir, 0o777);
  expect(weakPlaceAbove(dataDir, ME)).toBeUndefined();
});
