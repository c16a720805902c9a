import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nativePlaces } from '../../src/binary/native-places.js';
import { unpack } from '../../src/binary/unpack.js';
import { tempDir } from '../harness/index.js';

const BYTES = Buffer.from('a native module');
const SHA256 = createHash('sha256').update(BYTES).digest('hex');
const FILE = `mod-${SHA256}.node`;
const UID = process.getuid!();

/** Unpacks and reads what is behind the descriptor. @param reads counts how often the contents were asked for */
function unpacked(place: string, reads: number[] = []): string {
  const read = () => {
    reads.push(1);
    return BYTES;
  };
  const { fd, path } = unpack(place, { name: 'mod.node', sha256: SHA256, read }, UID);
  try {
    expect(path).toBe(join(place, FILE));
    return behind(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** The whole of an open file, wherever it was read to. */
const behind = (fd: number) => fs.readFileSync(`/proc/self/fd/${fd}`, 'utf8');

const modeOf = (path: string) => fs.lstatSync(path).mode & 0o777;

test('contents are written once, in a directory and a file that nobody else can enter or change', () => {
  const place = join(tempDir(), 'cache', 'execgo');
  const reads: number[] = [];
  expect([unpacked(place, reads), unpacked(place, reads)]).toEqual([BYTES.toString(), BYTES.toString()]);
  expect(reads).toHaveLength(1);
  expect(fs.readdirSync(place)).toEqual([FILE]);
  expect([modeOf(join(place, '..')), modeOf(place), modeOf(join(place, FILE))]).toEqual([
    0o700, 0o700, 0o500,
  ]);
});

test('a process that opened it keeps what it verified, whatever comes in its place', () => {
  const place = join(tempDir(), 'execgo');
  const { fd } = unpack(place, { name: 'mod.node', sha256: SHA256, read: () => BYTES }, UID);
  fs.rmSync(join(place, FILE));
  fs.writeFileSync(join(place, FILE), 'something else');
  expect(behind(fd)).toBe(BYTES.toString());
  fs.closeSync(fd);
});

const OUTSIDE = 'somebody writes here';

test.each<[string, (file: string, outside: string) => void]>([
  ['cut off', (file) => fs.writeFileSync(file, BYTES.subarray(0, 5), { mode: 0o500 })],
  ['empty', (file) => fs.writeFileSync(file, '', { mode: 0o500 })],
  ['changed', (file) => fs.writeFileSync(file, 'A native module', { mode: 0o500 })],
  [
    'writable for others',
    (file) => {
      fs.writeFileSync(file, BYTES);
      fs.chmodSync(file, 0o777);
    },
  ],
  [
    'another user’s',
    (file) => {
      fs.writeFileSync(file, BYTES);
      fs.chownSync(file, 65_534, 65_534);
    },
  ],
  [
    'a link to the right contents',
    (file, outside) => {
      fs.writeFileSync(outside, BYTES);
      fs.symlinkSync(outside, file);
    },
  ],
  ['a link to what should not be written', (file, outside) => fs.symlinkSync(outside, file)],
  ['a link to nowhere', (file) => fs.symlinkSync('/nowhere/at/all', file)],
  ['a second name of another file', (file, outside) => fs.linkSync(outside, file)],
  ['a FIFO', (file) => makeFifo(file)],
])('a file that is %s is replaced, not followed, waited for or written to', (_kind, put) => {
  const base = tempDir();
  const [place, outside] = [join(base, 'execgo'), join(base, 'outside')];
  fs.mkdirSync(place, { mode: 0o700 });
  fs.writeFileSync(outside, OUTSIDE);
  put(join(place, FILE), outside);
  const before = fs.readFileSync(outside, 'utf8');
  expect(unpacked(place)).toBe(BYTES.toString());
  expect(fs.lstatSync(join(place, FILE))).toMatchObject({ uid: UID, nlink: 1 });
  expect(modeOf(join(place, FILE))).toBe(0o500);
  expect(fs.readFileSync(outside, 'utf8')).toBe(before);
  expect(fs.readdirSync(place)).toEqual([FILE]);
});

test.each<[string, string, (place: string, outside: string) => void]>([
  [
    'open to the group',
    'open to other users',
    (place) => {
      fs.mkdirSync(place);
      fs.chmodSync(place, 0o750);
    },
  ],
  [
    'open to all',
    'open to other users',
    (place) => {
      fs.mkdirSync(place);
      fs.chmodSync(place, 0o777);
    },
  ],
  [
    'another user’s',
    'belongs to user 65534',
    (place) => {
      fs.mkdirSync(place, 0o700);
      fs.chownSync(place, 65_534, 65_534);
    },
  ],
  ['a link to a directory', 'ENOTDIR', (place, outside) => fs.symlinkSync(outside, place)],
  ['a link to nowhere', 'ENOTDIR', (place) => fs.symlinkSync('/nowhere/at/all', place)],
  ['a file', 'ENOTDIR', (place) => fs.writeFileSync(place, '')],
  ['a FIFO', 'ENOTDIR', (place) => makeFifo(place)],
])('a place that is %s is refused, and nothing is written through it', (_kind, why, put) => {
  const base = tempDir();
  const [place, outside] = [join(base, 'execgo'), join(base, 'outside')];
  fs.mkdirSync(outside, 0o700);
  put(place, outside);
  expect(() => unpacked(place)).toThrow(why);
  expect(fs.readdirSync(outside)).toEqual([]);
});

test('contents that are not what was announced are loaded by nobody', () => {
  const place = join(tempDir(), 'execgo');
  const wrong = { name: 'mod.node', sha256: '0'.repeat(64), read: () => BYTES };
  expect(() => unpack(place, wrong, UID)).toThrow('does not hold what was written to it');
});

test('only the one directory above a place is made', () => {
  expect(() => unpacked(join(tempDir(), 'home', 'user', 'execgo'))).toThrow('ENOENT');
});

test('places: what the operator names alone, or caches, then directories for everybody', () => {
  const home = tempDir();
  const surroundings = { env: {}, uid: UID, home, tmp: '/tmp' };
  const shared = ['/var/tmp', '/tmp', '/dev/shm'].map((dir) => `${dir}/execgo-${UID}`);
  expect(nativePlaces(surroundings)).toEqual([`${home}/.cache/execgo`, '/var/cache/execgo', ...shared]);
  const env = { XDG_CACHE_HOME: '/c', XDG_RUNTIME_DIR: '/run/user/1' };
  expect(nativePlaces({ ...surroundings, env, tmp: '/var/tmp' })).toEqual([
    '/c/execgo',
    `${home}/.cache/execgo`,
    '/var/cache/execgo',
    '/run/user/1/execgo',
    `/var/tmp/execgo-${UID}`,
    `/dev/shm/execgo-${UID}`,
  ]);
  expect(nativePlaces({ ...surroundings, env: { ...env, EXECGO_NATIVE_DIR: '/n' } })).toEqual(['/n']);
  const relative = { XDG_CACHE_HOME: 'cache', EXECGO_NATIVE_DIR: '' };
  expect(nativePlaces({ ...surroundings, env: relative })[0]).toBe(`${home}/.cache/execgo`);
});

test('a home directory that is missing or another user’s is none', () => {
  const foreign = tempDir();
  fs.chownSync(foreign, 65_534, 65_534);
  for (const home of [foreign, '/nowhere/at/all'])
    expect(nativePlaces({ env: {}, uid: UID, home, tmp: '/tmp' })[0]).toBe('/var/cache/execgo');
});

function makeFifo(path: string): void {
  execFileSync('mkfifo', [path]);
}
