import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  command,
  execgo,
  http,
  isAlive,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
  waitGone,
} from '../harness/index.js';
import { endAcrossKill, killHard, printed } from '../faults/support.js';
import { BINARY, buildBinary } from './built.js';
import { makeRoot } from './root.js';

/** Building the executable takes some seconds, on a busy machine more. Milliseconds. */
const BUILD_MS = 300_000;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VERSION = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version;
/** As long as the version it stands for. */
const NEWER = VERSION.replace(/^\d/, '9');

let dir: string;
/** Runs the executable in a root without Node. */
let inRoot: string;
/** The executable once more, as another version. */
let newer: string;

beforeAll(() => {
  buildBinary();
  dir = mkdtempSync(join(realpathSync(tmpdir()), 'binary-'));
  // So that a test that runs as another user reaches it.
  chmodSync(dir, 0o755);
  // Not into the cache of who runs the tests.
  process.env['XDG_CACHE_HOME'] = join(dir, 'cache');
  inRoot = makeRoot(dir, BINARY);
  newer = join(dir, 'newer');
  copyFileSync(BINARY, newer);
  patch(newer, `"version": "${VERSION}"`, `"version": "${NEWER}"`);
}, BUILD_MS);

afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('without Node it is command line, daemon and supervisor, and a killed daemon loses nothing', async () => {
  expect(await execgo(['--version'], { program: inRoot })).toMatchObject({ code: 0, stdout: `${VERSION}\n` });
  const daemon = await startDaemon({ program: inRoot });
  expect((await http(daemon.url).get('/api/v1/runtime/capabilities')).body.execution.launcher).toBe('libc');
  const none = await submitAndWait(daemon, script('command -v node npm npx || ls /usr/lib/node_modules'));
  expect([none.exit_code === 0, none.stdout]).toEqual([false, '']);

  const ran = await execgo(['run', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'], {
    program: inRoot,
    daemon,
  });
  expect(ran).toMatchObject({ code: 3, stdout: 'out\n', stderr: expect.stringContaining('err\n') });

  expect(await endAcrossKill(daemon)).toMatchObject({ cause: 'exit', exit_code: 4, stdout: 'up\ndown\n' });
});

test('its threads answer: usage of a running task, long output, the size of ended tasks', async () => {
  const daemon = await startDaemon({ program: inRoot, flags: ['--retain-max-bytes', '100000000'] });
  const running = await submit(daemon, command('sleep', ['600']));
  const api = http(daemon.url);
  const usage = () => api.get(`/api/v1/tasks/${running}`).then(({ body }) => body.usage?.memory_bytes > 0);
  await waitFor(usage, { what: 'the usage of a running task' });
  const long = await submitAndWait(daemon, script('head -c 200000 /dev/zero | tr "\\\\0" x'));
  expect(long).toMatchObject({ status: 'success', stdout_bytes: 200_000 });
  const ran = await execgo(['logs', long.task_id], { program: inRoot, daemon });
  expect(ran.stdout).toBe('x'.repeat(200_000));
  const gc = await execgo(['gc'], { program: inRoot, daemon });
  expect(gc).toMatchObject({ code: 0 });
  await api.post(`/api/v1/tasks/${running}/kill`, {});
  expect((await waitForEnd(daemon, running)).status).toBe('cancelled');
});

test('what only asks the daemon unpacks nothing; a daemon and its supervisor share what is unpacked', async () => {
  const cache = join(tempDir(), 'cache');
  mkdirSync(cache);
  const env = { XDG_CACHE_HOME: cache };
  for (const args of [
    ['--version'],
    ['serve', '--help'],
    ['status', 'none'],
    ['list'],
    ['run', '--', 'true'],
  ])
    await execgo(args, { program: BINARY, env: { ...env, EXECGO_RUNTIME_URL: 'unix:/nowhere.sock' } });
  expect(readdirSync(cache)).toEqual([]);

  const daemon = await startDaemon({ program: BINARY, env });
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  const names = readdirSync(join(cache, 'execgo'));
  expect(names.sort()).toEqual([
    expect.stringMatching(/^better_sqlite3-[0-9a-f]{64}\.node$/),
    expect.stringMatching(/^koffi-[0-9a-f]{64}\.node$/),
  ]);
  for (const pid of [daemon.pid, daemon.supervisorPid()])
    expect(readFileSync(`/proc/${pid}/maps`, 'utf8')).toContain(join(cache, 'execgo', names[1]!));
});

test('with nowhere to unpack to it says what was tried and what to do, and touches nothing', async () => {
  const dataDir = join(tempDir(), 'data');
  const place = join(tempDir(), 'open');
  mkdirSync(place);
  chmodSync(place, 0o777);
  const { code, stderr } = await execgo(['serve', '--data-dir', dataDir], {
    program: BINARY,
    env: { EXECGO_NATIVE_DIR: place },
  });
  expect(code).toBe(1);
  expect(stderr).toContain(`${place}: it is open to other users (mode 777, not 700)`);
  expect(stderr).toContain('EXECGO_NATIVE_DIR');
  expect([existsSync(dataDir), readdirSync(place)]).toEqual([false, []]);
});

test('flags of Node in the environment are neither refused nor talked about', async () => {
  const env = { NODE_OPTIONS: '--max-old-space-size=1000' };
  expect(await execgo(['--version'], { program: BINARY, env })).toMatchObject({
    code: 0,
    stdout: `${VERSION}\n`,
    stderr: '',
  });
});

test('the commands of the operation guide install and upgrade it', async () => {
  const guide = readFileSync(join(ROOT, 'docs/operation.md'), 'utf8');
  const section = /^## One executable\n(.*?)^## /ms.exec(guide)![1]!;
  const [installing, upgrading] = [...section.matchAll(/^```sh\n(.*?)^```/gms)].map(([, text]) => text!);
  const bin = tempDir();
  const shell = (text: string) =>
    execFileSync(
      'sh',
      ['-ec', text.replaceAll('/usr/local/bin', bin).replaceAll('linux-x64', `linux-${process.arch}`)],
      {
        cwd: ROOT,
        env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` },
        encoding: 'utf8',
      },
    );
  expect(shell(installing!)).toMatch(new RegExp(`^${VERSION}$`, 'm'));
  const daemon = await startDaemon({ program: join(bin, 'execgo') });
  shell(upgrading!);
  expect(readlinkSync(`/proc/${daemon.pid}/exe`)).toBe(`${bin}/execgo (deleted)`);
  expect(readdirSync(bin)).toEqual(['execgo']);
  await daemon.restart();
  expect(readlinkSync(`/proc/${daemon.pid}/exe`)).toBe(`${bin}/execgo`);
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
});

test('two versions run side by side', async () => {
  const [one, other] = await Promise.all([startDaemon({ program: BINARY }), startDaemon({ program: newer })]);
  for (const [daemon, version] of [
    [one, VERSION],
    [other, NEWER],
  ] as const) {
    expect((await http(daemon.url).get('/api/v1/runtime/info')).body.version).toBe(version);
    expect(commandLine(daemon.supervisorPid())).toContain(`--version ${version}`);
    expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  }
});

test('its file is replaced while tasks run: what runs goes on with the old one until its daemon is the new one', async () => {
  const file = join(tempDir(), 'execgo');
  const gate = join(tempDir(), 'gate');
  copyFileSync(BINARY, file);
  const daemon = await startDaemon({ program: file });
  const old = daemon.supervisorPid();
  const id = await submit(daemon, script(`echo up; until [ -e ${gate} ]; do sleep 0.02; done; exit 6`));
  await printed(daemon, id, 'up');

  copyFileSync(newer, `${file}.new`);
  renameSync(`${file}.new`, file);
  expect((await execgo(['--version'], { program: file })).stdout).toBe(`${NEWER}\n`);
  expect(await submitAndWait(daemon, command('true'))).toMatchObject({ status: 'success', shim_pid: old });

  await daemon.restart({ env: { EXECGO_TEST_LAUNCH_VERSION: '999' } });
  const next = daemon.supervisorPid();
  expect([next === old, readlinkSync(`/proc/${old}/exe`), readlinkSync(`/proc/${next}/exe`)]).toEqual([
    false,
    `${file} (deleted)`,
    file,
  ]);
  expect(await submitAndWait(daemon, command('true'))).toMatchObject({ status: 'success', shim_pid: next });
  mkdirSync(gate);
  expect(await waitForEnd(daemon, id)).toMatchObject({ cause: 'exit', exit_code: 6, shim_pid: old });
  await waitGone(old);
});

test('a daemon whose file was replaced starts supervisors of its own version', async () => {
  const file = join(tempDir(), 'execgo');
  copyFileSync(BINARY, file);
  const daemon = await startDaemon({ program: file });
  const first = daemon.supervisorPid();
  copyFileSync(newer, `${file}.new`);
  renameSync(`${file}.new`, file);
  await killHard(first);
  const end = await submitAndWait(daemon, command('true'));
  expect(end.status).toBe('success');
  const second = Number(end.shim_pid);
  expect([isAlive(second), second === first]).toEqual([true, false]);
  expect(readlinkSync(`/proc/${second}/exe`)).toBe(`${file} (deleted)`);
  expect(commandLine(second)).toContain(`${file} internal-supervisor`);
});

const commandLine = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');

/** Puts `to` in the place of each `from` in a file; both are of one length. */
function patch(file: string, from: string, to: string): void {
  const fd = openSync(file, 'r+');
  try {
    const bytes = Buffer.alloc(fstatSync(fd).size);
    readSync(fd, bytes, 0, bytes.length, 0);
    for (let at = bytes.indexOf(from); at !== -1; at = bytes.indexOf(from, at + 1)) writeSync(fd, to, at);
  } finally {
    closeSync(fd);
  }
}
