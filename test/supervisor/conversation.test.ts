import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connectSupervisor } from '../../src/executor/local/connection.js';
import { parseDaemonMessage, parseSupervisorMessage } from '../../src/supervisor/wire/messages.js';
import { writeSecret } from '../../src/supervisor/wire/proof.js';
import { launchVersion, PROTOCOL } from '../../src/supervisor/wire/protocol.js';
import { findSocketPath } from '../../src/supervisor/wire/socket-path.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor, waitGone } from '../harness/wait.js';
import { buildSupervisor } from './build.js';
import { SupervisorUnderTest } from './harness.js';

let build: ReturnType<typeof buildSupervisor>;
beforeAll(() => {
  build = buildSupervisor();
});
afterAll(() => build.remove());

const start = () => SupervisorUnderTest.start(build.entry);

/** A bare connection to a socket, and everything that comes over it until it closes. */
async function talk(path: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(path, () => socket.write(text));
    socket.on('data', (chunk) => (received += chunk.toString()));
    socket.once('error', reject);
    socket.once('close', () => resolve(received));
  });
}

test('the supervisor says who it is', async () => {
  const supervisor = await start();
  expect(supervisor.connection.hello).toMatchObject({
    protocol: PROTOCOL,
    launch_version: launchVersion(),
    version: 'test',
    incarnation: supervisor.process.incarnation,
    pid: supervisor.process.pid,
  });
});

describe('an impostor is refused', () => {
  /** A server in the place of a supervisor. */
  async function impostor(answer: (socket: Socket) => void): Promise<string> {
    const dir = tempDir();
    writeSecret(dir);
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      answer(socket);
    });
    await new Promise<void>((resolve) => server.listen(findSocketPath(dir), resolve));
    onTestFinished(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return dir;
  }
  const hello = {
    type: 'hello',
    protocol: PROTOCOL,
    launch_version: launchVersion(),
    version: 'x',
    incarnation: 'x',
    pid: 1,
  };
  const connectTo = (dir: string, timeoutMs = 10_000) =>
    connectSupervisor({ dir, version: 'test', timeoutMs });

  test('when it does not know the secret', async () => {
    const dir = await impostor((socket) =>
      socket.write(JSON.stringify({ ...hello, proof: 'ab'.repeat(32) }) + '\n'),
    );
    await expect(connectTo(dir)).rejects.toThrow(/impostor/);
  });

  test.each([
    ['garbage', 'not json\n', /not JSON/],
    ['another message', '{"type":"listed"}\n', /does not say hello/],
    ['a hello without proof', JSON.stringify(hello) + '\n', /does not say hello/],
  ])('when it sends %s', async (_what, text, message) => {
    await expect(connectTo(await impostor((socket) => socket.write(text)))).rejects.toThrow(message);
  });

  test('when it closes, or says nothing', async () => {
    await expect(connectTo(await impostor((socket) => socket.end()))).rejects.toThrow(/closed/);
    await expect(connectTo(await impostor(() => undefined), 50)).rejects.toThrow(
      /does not answer within 50 ms/,
    );
  });

  test('when nobody is there', async () => {
    const dir = tempDir();
    await expect(connectTo(dir)).rejects.toThrow(/ENOENT/);
    writeSecret(dir);
    await expect(connectTo(dir)).rejects.toThrow(/cannot connect/);
  });
});

test('an older connection is closed when a new one says hello', async () => {
  const supervisor = await start();
  const older = supervisor.connection;
  const closed = new Promise<string>((resolve) => older.onClose(resolve));
  const id = supervisor.sh('exec sleep 1000');
  await supervisor.started(id);
  await supervisor.connect();
  expect(await closed).toMatch(/closed/);
  older.send({ type: 'kill', launch_id: id });
  supervisor.send({ type: 'list' });
  const { launches } = await supervisor.message('running');
  expect(launches).toEqual([expect.objectContaining({ launch_id: id, pid: await supervisor.started(id) })]);
});

test.each([
  ['no JSON', 'garbage\n'],
  ['no hello first', '{"type":"list"}\n'],
  ['an unknown protocol', '{"type":"hello","protocol":99,"version":"x","nonce":"y"}\n'],
  ['an unknown message', '{"type":"shutdown"}\n'],
  ['no object', '[null]\n'],
])('a connection with %s is closed, and disturbs nobody', async (_what, text) => {
  const supervisor = await start();
  expect(await talk(findSocketPath(supervisor.process.dir), text)).toBe('');
  expect((await supervisor.run('exit 3')).outcome.exit_code).toBe(3);
});

test('a message of the daemon that is not understood is dropped; the connection and tasks go on', async () => {
  const supervisor = await start();
  const id = supervisor.sh('read x < gate 2>/dev/null; while [ ! -e gate ]; do sleep 0.02; done; exit 8');
  await supervisor.started(id);
  const closed: string[] = [];
  supervisor.connection.onClose((reason) => closed.push(reason));
  supervisor.send({ type: 'ack', launch_ids: 'all' as never });
  supervisor.send({ type: 'fly' } as never);
  writeFileSync(join(supervisor.dir, 'work', 'gate'), '');
  expect(await supervisor.outcome(id)).toMatchObject({ exit_code: 8 });
  expect(closed).toEqual([]);
});

test('an attempt whose launch message is not understood ends as one that never began; one that runs already goes on', async () => {
  const supervisor = await start();
  const odd = {
    type: 'launch',
    version: launchVersion(),
    launch_id: 50,
    task_id: 't',
    token: 'x',
    spec: { argv: 5 },
  };
  supervisor.send(odd as never);
  const { failure } = await supervisor.outcome(50);
  expect(failure).toEqual({
    stage: 'launch',
    message: expect.stringMatching(/refused: its launch message is not understood/),
  });
  supervisor.send({ ...odd, launch_id: 51, token: 7 } as never);
  expect(await supervisor.message('refused')).toMatchObject({ launch_id: 51 });
  const id = supervisor.sh('while [ ! -e gate ]; do sleep 0.02; done; exit 8');
  await supervisor.started(id);
  supervisor.send({ ...odd, launch_id: id } as never);
  writeFileSync(join(supervisor.dir, 'work', 'gate'), '');
  expect(await supervisor.outcome(id)).toMatchObject({ exit_code: 8 });
});

describe('an attempt', () => {
  test('runs at most once, and its state is told again', async () => {
    const supervisor = await start();
    const argv: [string, ...string[]] = ['/bin/sh', '-c', 'echo run >> runs; exit 2'];
    supervisor.relaunch(7, argv);
    supervisor.relaunch(7, argv);
    await supervisor.outcome(7);
    supervisor.relaunch(7, argv);
    await waitFor(() => supervisor.messages.filter((m) => m.type === 'outcome').length === 2);
    supervisor.send({ type: 'ack', launch_ids: [7] });
    supervisor.relaunch(7, argv);
    const again = await supervisor.message('outcome', (m) => m.outcome.failure !== undefined);
    expect(again.outcome.failure?.message).toMatch(/has ended here before/);
    expect(readFileSync(join(supervisor.dir, 'work', 'runs'), 'utf8')).toBe('run\n');
  });

  test('is refused with another token', async () => {
    const supervisor = await start();
    supervisor.relaunch(1, ['/bin/true']);
    await supervisor.outcome(1);
    supervisor.relaunch(1, ['/bin/true'], { token: 'another' });
    expect((await supervisor.message('refused')).reason).toMatch(/another token/);
  });

  test('is refused with an unknown version, and can then be launched', async () => {
    const supervisor = await start();
    const message = { type: 'launch', version: 99, launch_id: 1, task_id: 't', token: 'x', spec: 'new' };
    supervisor.send(message as never);
    expect((await supervisor.message('refused')).reason).toMatch(/version 99/);
    supervisor.relaunch(1, ['/bin/true']);
    expect((await supervisor.outcome(1)).exit_code).toBe(0);
  });
});

test('outcomes are told until they are acknowledged', async () => {
  const supervisor = await start();
  const ids = [supervisor.sh('exit 1'), supervisor.sh('exit 2')];
  for (const id of ids) await supervisor.outcome(id);
  supervisor.send({ type: 'ack', launch_ids: [ids[0]!] });
  await supervisor.connect();
  supervisor.messages.length = 0;
  supervisor.send({ type: 'list' });
  await supervisor.message('listed');
  expect(supervisor.messages.map((m) => m.type)).toEqual(['running', 'outcome', 'listed']);
  expect(await supervisor.outcome(ids[1]!)).toMatchObject({ exit_code: 2 });
});

test('a data directory with a long path gets its socket elsewhere', async () => {
  const root = join(tempDir(), 'deep'.repeat(30), 'supervisor');
  mkdirSync(root, { recursive: true });
  const supervisor = await SupervisorUnderTest.start(build.entry, { root });
  const socket = findSocketPath(supervisor.process.dir);
  expect(Buffer.byteLength(socket)).toBeLessThan(100);
  expect((await supervisor.run('echo far')).stdout).toBe('far\n');
  supervisor.send({ type: 'ack', launch_ids: [1] });
  supervisor.send({ type: 'drain' });
  await waitGone(supervisor.process.pid);
  expect(existsSync(dirname(socket))).toBe(false);
});

describe('the parsers', () => {
  test.each([
    null,
    1,
    'hello',
    [],
    {},
    { type: 'constructor' },
    { type: 'hello' },
    { type: 'ack', launch_ids: [1.5] },
  ])('refuse %j', (value) => {
    expect(parseDaemonMessage(value, launchVersion())).toBeUndefined();
    expect(parseSupervisorMessage(value)).toBeUndefined();
  });

  test.each([
    { argv: [] },
    { env: { A: 1 } },
    { cwd: null },
    { stdout: { path: 'x', max_bytes: -1, tail_path: 'y' } },
    { wall_time_ms: 'long' },
    { chain: { wrappers: ['unshare'] } },
    { cgroup: { track: { path: 'x' } } },
  ])('refuse a launch with %j', (change) => {
    const stream = { path: 'p', max_bytes: 1, tail_path: 't' };
    const spec = {
      argv: ['x'],
      env: {},
      cwd: '/',
      stdout: stream,
      stderr: stream,
      wall_time_ms: 1,
      grace_ms: 0,
    };
    const launch = (s: object) => ({
      type: 'launch',
      version: 1,
      launch_id: 1,
      task_id: 't',
      token: 'x',
      spec: s,
    });
    expect(parseDaemonMessage(launch(spec), 1)).toBeDefined();
    expect(parseDaemonMessage(launch({ ...spec, ...change }), 1)).toBeUndefined();
  });
});
