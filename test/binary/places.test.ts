import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { tempDir } from '../harness/index.js';
import { BINARY, buildBinary } from './built.js';

/** Building the executable takes some seconds, on a busy machine more. Milliseconds. */
const BUILD_MS = 300_000;
/** What `doctor` says once it has loaded SQLite and looks for a data directory that is not there. */
const LOADED = 'does not exist';
const NATIVE = /^better_sqlite3-[0-9a-f]{64}\.node$/;
const STRANGER = 65_533;
const NOBODY = 65_534;

beforeAll(buildBinary, BUILD_MS);

/**
 * Runs `doctor` on a machine of its own: what may be a place to unpack to is empty, and so it is again afterwards.
 * @param setup shell commands that prepare the places. @param env over an environment of PATH and HOME only
 * @returns what it said, and the files that are in the places then
 */
async function start(setup: string, { env = {}, uid = 0 }: { env?: NodeJS.ProcessEnv; uid?: number } = {}) {
  const script = `exec 3<"$0"
for dir in /mnt /root /home /var/cache /var/tmp /dev/shm /tmp; do mount -t tmpfs -o mode=1777 tmpfs $dir; done
chmod 700 /root; chmod 755 /mnt /home /var/cache
cat <&3 > /mnt/execgo; chmod 755 /mnt/execgo
${setup}
setpriv --reuid ${uid} --regid ${uid} --clear-groups -- env "$@" /mnt/execgo doctor --data-dir /nowhere/data >&2 && exit 1
find /root /var/cache /var/tmp /dev/shm /home /tmp ! -type d`;
  const variables = Object.entries({ PATH: process.env['PATH'], HOME: '/root', ...env }).flatMap(
    ([name, value]) => (value === undefined ? [] : [`${name}=${value}`]),
  );
  const args = ['--mount', '--propagation', 'private', 'sh', '-ec', script, BINARY, '-i', ...variables];
  const child = spawn('unshare', args, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
  const { stdout, stderr } = await output(child);
  return { said: stderr, files: stdout.split('\n').filter(Boolean).sort() };
}

async function output(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (chunk: Buffer) => (text[name] += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, ...text };
}

/** The native module in this directory, and nothing else. */
const only = (dir: string) => [expect.stringMatching(new RegExp(`^${dir}/${NATIVE.source.slice(1)}`))];

test('at first it unpacks to the cache of its user, also where that user has no HOME', async () => {
  for (const HOME of ['/root', undefined]) {
    const { said, files } = await start('', { env: { HOME } });
    expect(said).toContain(LOADED);
    expect(files).toEqual(only('/root/.cache/execgo'));
  }
});

test.each([
  ['there is no home directory', 'true', { HOME: '/nowhere' }],
  ['the home directory is another user’s', `chown ${STRANGER} /root`, {}],
  ['the home directory is read-only', 'mount -o remount,ro /root', {}],
  ['the home directory may hold no programs', 'mount -o remount,noexec /root', {}],
  ['the file system of the home directory is full', 'mount -o remount,size=64k /root', {}],
  ['the file system of the home directory has no file left', 'mount -o remount,nr_inodes=3 /root', {}],
  ['the place is a link', 'mkdir -p /home/other /root/.cache; ln -s /home/other /root/.cache/execgo', {}],
  ['the place is another user’s', `mkdir -p /root/.cache/execgo; chown ${STRANGER} /root/.cache/execgo`, {}],
  ['the place is open to all', 'mkdir -p /root/.cache/execgo; chmod 777 /root/.cache/execgo', {}],
  ['the place is a FIFO', 'mkdir /root/.cache; mkfifo /root/.cache/execgo', {}],
  ['the cache is a file', 'touch /root/.cache', {}],
])('it takes the next place when %s, and leaves nothing else', async (_case, setup, env) => {
  const { said, files } = await start(setup, { env });
  expect(said).toContain(LOADED);
  const written = files.filter((file) => !/^\/root\/\.cache(\/execgo)?$/.test(file));
  // Whether programs may run is known only when one was written.
  const tried = setup.includes('noexec') ? only('/root/.cache/execgo') : [];
  expect(written).toEqual([...tried, ...only('/var/cache/execgo')]);
});

test('a cache that its user has moved elsewhere by a link is used', async () => {
  const { files } = await start('mkdir /home/scratch; ln -s /home/scratch /root/.cache');
  expect(files).toEqual([...only('/home/scratch/execgo'), '/root/.cache']);
});

test('a user with no home finds its own place among those that everybody may write to, and trusts nobody’s', async () => {
  const taken = `mkdir -m 777 /var/tmp/execgo-${NOBODY}; chown ${STRANGER} /var/tmp/execgo-${NOBODY}`;
  const { said, files } = await start(`${taken}; ln -s /var/tmp /tmp/execgo-${NOBODY}`, {
    env: { HOME: '/nonexistent' },
    uid: NOBODY,
  });
  expect(said).toContain(LOADED);
  expect(files).toEqual([...only(`/dev/shm/execgo-${NOBODY}`), `/tmp/execgo-${NOBODY}`]);
});

test('where no place serves it says of each why, and what to do', async () => {
  const setup = `mount -o remount,ro /root; mkdir -m 755 /var/cache/execgo; chown ${STRANGER} /var/cache/execgo
mount -o remount,size=64k /var/tmp; mount -o remount,noexec /tmp; mkdir -m 770 /dev/shm/execgo-0`;
  const { said } = await start(setup);
  expect(said).toMatch(/cannot unpack and load better_sqlite3\.node, which is part of this program/);
  for (const reason of [
    /\/root\/\.cache\/execgo: EROFS/,
    /\/var\/cache\/execgo: it belongs to user 65533, not to 0/,
    /\/var\/tmp\/execgo-0: ENOSPC/,
    /\/tmp\/execgo-0: .*(failed to map|cannot enable|not permitted|denied)/i,
    /\/dev\/shm\/execgo-0: it is open to other users/,
    /Name a directory of this user's in EXECGO_NATIVE_DIR/,
  ])
    expect(said).toMatch(reason);
});

test('many that start for the first time at once leave the one file that all of them load', async () => {
  const cache = tempDir();
  const env = { ...process.env, XDG_CACHE_HOME: cache };
  const ends = await Promise.all(
    Array.from({ length: 8 }, () =>
      output(spawn(BINARY, ['doctor', '--data-dir', '/nowhere/data'], { env })),
    ),
  );
  for (const { stdout, stderr } of ends) expect(stdout + stderr).toContain(LOADED);
  expect(readdirSync(join(cache, 'execgo'))).toEqual([expect.stringMatching(NATIVE)]);
});

test('what was changed, cut off or removed since the last start is what it should be again after the next', async () => {
  const cache = tempDir();
  const place = join(cache, 'execgo');
  const doctor = () =>
    output(
      spawn(BINARY, ['doctor', '--data-dir', '/nowhere/data'], {
        env: { ...process.env, XDG_CACHE_HOME: cache },
      }),
    );
  await doctor();
  const file = join(place, readdirSync(place)[0]!);
  const contents = readFileSync(file);
  const damages: (() => void)[] = [
    () => writeFileSync(file, contents.subarray(0, contents.length / 2)),
    () => writeFileSync(file, Buffer.from(contents).fill(0, 1000, 1001)),
    () => writeFileSync(file, ''),
    () => rmSync(file),
    () => rmSync(place, { recursive: true }),
    () => mkdirSync(`${file}.half-written`),
  ];
  for (const damage of damages) {
    if (existsSync(file)) chmodSync(file, 0o700);
    damage();
    const { stdout, stderr } = await doctor();
    expect(stdout + stderr).toContain(LOADED);
    expect(readFileSync(file).equals(contents)).toBe(true);
  }
});
