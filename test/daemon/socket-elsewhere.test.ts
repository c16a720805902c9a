import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { removeSocketElsewhere, socketElsewhere } from '../../src/daemon/socket-elsewhere.js';
import { removeSocketPlace } from '../../src/supervisor/wire/socket-path.js';
import { tempDir } from '../harness/index.js';

const OTHERS = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
let tmp = '';
let dataDir = '';

beforeEach(() => {
  tmp = tempDir();
  vi.stubEnv('TMPDIR', tmp);
  dataDir = join(tempDir(), 'data');
  fs.mkdirSync(dataDir);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const written = () => join(dataDir, 'task-socket');
/** What was made and is still there. */
const left = () => fs.readdirSync(tmp).filter((name) => /^execgo-\w{6}$/.test(name));
/** What is there, and whose it is. */
const look = (path: string) => {
  const { mode, uid, gid, ino } = fs.lstatSync(path);
  return { mode, uid, gid, ino, names: fs.readdirSync(path).sort() };
};

test('it is the same as long as the data directory is, moved too, and goes without a trace', () => {
  const first = socketElsewhere(dataDir, OTHERS);
  expect([dirname(first), basename(first)]).toEqual([tmp, expect.stringMatching(/^execgo-\w{6}$/)]);
  expect(fs.statSync(first).mode & 0o777).toBe(OTHERS === undefined ? 0o700 : 0o710);
  expect(fs.statSync(join(first, 'data-directory')).mode & 0o777).toBe(0o600);
  fs.writeFileSync(join(first, 'task.sock'), '');
  expect(socketElsewhere(dataDir, undefined)).toBe(first);
  expect(fs.statSync(first).mode & 0o777).toBe(0o700);
  fs.renameSync(dataDir, `${dataDir}-moved`);
  dataDir = `${dataDir}-moved`;
  expect(socketElsewhere(dataDir, OTHERS)).toBe(first);
  removeSocketElsewhere(dataDir, first, 'task.sock');
  expect([left(), fs.readdirSync(dataDir)]).toEqual([[], []]);
});

test('a copied data directory makes its own, and does not remove that of the other', () => {
  const first = socketElsewhere(dataDir, undefined);
  fs.writeFileSync(join(first, 'task.sock'), '');
  const copy = join(tempDir(), 'copy');
  fs.cpSync(dataDir, copy, { recursive: true });
  // Before it has its own it knows only that of the other.
  removeSocketElsewhere(copy, first, 'task.sock');
  const before = look(first);
  const second = socketElsewhere(copy, undefined);
  expect(second).not.toBe(first);
  removeSocketElsewhere(copy, second, 'task.sock');
  expect(fs.existsSync(second)).toBe(false);
  expect(look(first)).toEqual(before);
  expect(socketElsewhere(dataDir, undefined)).toBe(first);
});

/** A directory that is made to look like the one of the data directory, and where it is said to be. */
const lookalikes: Record<string, () => { at: string; named?: string }> = {
  'one somewhere else': () => ({ at: made(join(tempDir(), 'execgo-abcdef')) }),
  'one of another name': () => ({ at: made(join(tmp, 'execgo-abcdefg')) }),
  'one of another prefix': () => ({ at: made(join(tmp, 'somebody')) }),
  'the temporary directory': () => ({ at: tmp }),
  'one without a tie': () => ({ at: made(join(tmp, 'execgo-abcdef'), '') }),
  'one of another data directory': () => ({ at: made(join(tmp, 'execgo-abcdef'), '1:2\n') }),
  'one that others may write': () => {
    const at = made(join(tmp, 'execgo-abcdef'));
    fs.chmodSync(at, 0o777);
    return { at };
  },
  'a relative path': () => ({ at: made(join(tmp, 'execgo-abcdef')), named: 'execgo-abcdef' }),
  'a path with a way back': () => ({
    at: made(join(tmp, 'execgo-abcdef')),
    named: `${tmp}/execgo-abcdef/../execgo-abcdef`,
  }),
  'a path with a slash at its end': () => ({
    at: made(join(tmp, 'execgo-abcdef')),
    named: `${tmp}/execgo-abcdef/`,
  }),
  'a path with a line break': () => ({
    at: made(join(tmp, 'execgo-abcdef')),
    named: `${tmp}/execgo-abcdef\n`,
  }),
  'a link': () => {
    const at = made(join(tempDir(), 'execgo-abcdef'));
    fs.symlinkSync(at, join(tmp, 'execgo-abcdef'));
    return { at, named: join(tmp, 'execgo-abcdef') };
  },
  'a very long one': () => ({ at: made(join(tmp, 'execgo-abcdef')), named: `/${'x'.repeat(100_000)}` }),
  ...(OTHERS && {
    'one of another user': () => {
      const at = made(join(tmp, 'execgo-abcdef'));
      fs.chownSync(at, OTHERS.uid, OTHERS.gid);
      return { at };
    },
  }),
};

function made(at: string, tie?: string): string {
  const { dev, ino } = fs.statSync(dataDir);
  fs.mkdirSync(at, { mode: 0o700 });
  fs.writeFileSync(join(at, 'data-directory'), tie ?? `${dev}:${ino}\n`);
  fs.writeFileSync(join(at, 'task.sock'), 'x');
  return at;
}

test.each(Object.entries(lookalikes))('%s is not taken for it, and is not touched', (_what, make) => {
  const { at, named = at } = make();
  fs.writeFileSync(written(), named);
  const before = { ...look(at), names: [] };
  const own = socketElsewhere(dataDir, OTHERS);
  expect(own).not.toBe(named);
  removeSocketElsewhere(dataDir, named, 'task.sock');
  expect({ ...look(at), names: [] }).toEqual(before);
  if (at !== tmp) expect(fs.readdirSync(at).sort()).toEqual(['data-directory', 'task.sock']);
  expect(fs.readFileSync(written(), 'utf8')).toBe(own);
  removeSocketElsewhere(dataDir, own, 'task.sock');
  expect([fs.existsSync(own), fs.existsSync(written())]).toEqual([false, false]);
});

test('whatever stands in the place of its file is replaced, not followed and not waited for', () => {
  const kept = join(tempDir(), 'kept');
  for (const put of [
    () => {
      fs.symlinkSync(kept, written());
    },
    () => {
      fs.symlinkSync('task-socket', written());
    },
    () => execFileSync('mkfifo', [written()]),
    () => {
      fs.writeFileSync(written(), Buffer.from([0xff, 0, 0x2f]));
    },
    () => {
      fs.writeFileSync(written(), '');
    },
  ]) {
    fs.writeFileSync(kept, 'kept');
    put();
    const own = socketElsewhere(dataDir, undefined);
    expect([fs.lstatSync(written()).isFile(), fs.readFileSync(written(), 'utf8')]).toEqual([true, own]);
    expect(fs.readFileSync(kept, 'utf8')).toBe('kept');
    removeSocketElsewhere(dataDir, own, 'task.sock');
    expect([left(), fs.readdirSync(dataDir)]).toEqual([[], []]);
  }
  // Nothing is left of one that cannot be said.
  fs.mkdirSync(join(written(), 'full'), { recursive: true });
  expect(() => socketElsewhere(dataDir, undefined)).toThrow();
  expect(left()).toEqual([]);
});

test('one in which somebody has put more stays', () => {
  const own = socketElsewhere(dataDir, undefined);
  fs.writeFileSync(join(own, 'more'), 'x');
  removeSocketElsewhere(dataDir, own, 'task.sock');
  expect(fs.readdirSync(own)).toEqual(['more']);
});

test('what a dead supervisor has left elsewhere is removed only where it is one of its kind', () => {
  const kept = [join(tempDir(), 'execgo-data'), join(tempDir(), 'somebody')];
  for (const at of kept) {
    fs.mkdirSync(at);
    fs.writeFileSync(join(at, 'x'), '');
  }
  const linked = join(tmp, 'execgo-abcdef');
  fs.symlinkSync(kept[0]!, linked);
  const own = join(tmp, 'execgo-ghijkl');
  fs.mkdirSync(own, { mode: 0o700 });
  for (const at of [...kept, linked, own]) {
    fs.writeFileSync(join(dataDir, 'socket-path'), join(at, 's'));
    removeSocketPlace(dataDir);
  }
  expect([...kept, linked, own].map((at) => fs.existsSync(at))).toEqual([true, true, true, false]);
  for (const at of kept) expect(fs.readdirSync(at)).toEqual(['x']);
});
