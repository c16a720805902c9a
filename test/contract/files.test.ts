import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ExecgoClient } from '../../src/client/index.js';
import {
  execgo,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
  type Daemon,
} from '../harness/index.js';
import { reachableDataDir } from '../limits/support.js';

const session = async (flags: string[] = [], more: object = {}) => {
  const daemon = await startDaemon({ flags: ['--gc-interval-ms', '50', ...flags] });
  await http(daemon.url).post('/api/v1/sessions', { session_id: 's', ...more });
  const client = new ExecgoClient({ server: daemon.url });
  return {
    daemon,
    client,
    files: `/api/v1/sessions/s/files`,
    root: join(daemon.dataDir, 'sessions/s/workspace'),
  };
};
const OCTETS = { 'content-type': 'application/octet-stream' };
const put = (daemon: Daemon, path: string, body: string | Buffer, headers = {}) =>
  http(daemon.url).put(path, body, { ...OCTETS, ...headers });
const inS = (text: string, more: object = {}) =>
  script(text, { control_context: { session_id: 's' }, ...more });
async function read(
  client: ExecgoClient,
  of: { session: string } | { task: string },
  path: string,
  range = {},
) {
  const chunks: Buffer[] = [];
  for await (const chunk of await client.files.read(of, path, range)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('files of a session', () => {
  test('go in and out, byte by byte, and its tasks see them', async () => {
    const { daemon, client, files, root } = await session();
    const bytes = randomBytes(3_000_000);
    expect(await client.files.write({ session: 's' }, 'deep/er/x.bin', bytes, { mode: 0o750 })).toEqual({
      path: 'deep/er/x.bin',
      size: bytes.length,
    });
    expect(fs.statSync(join(root, 'deep/er/x.bin')).mode & 0o777).toBe(0o750);
    expect((await read(client, { session: 's' }, 'deep/er/x.bin')).equals(bytes)).toBe(true);
    const part = await read(client, { session: 's' }, 'deep/er/x.bin', { start: 10, end: 1_000_009 });
    expect(part.equals(bytes.subarray(10, 1_000_010))).toBe(true);
    // Slashes may stand in the path as they are.
    expect((await put(daemon, `${files}/deep/a b.txt`.replace(' ', '%20'), 'one')).body).toEqual({
      path: 'deep/a b.txt',
      size: 3,
    });
    const task = await submitAndWait(
      daemon,
      inS('cat "deep/a b.txt"; echo two >>"deep/a b.txt"; ln -s / out; mkfifo pipe'),
    );
    expect(task.stdout).toBe('one');
    const answer = await http(daemon.url).get(`${files}/deep%2Fa%20b.txt`);
    expect(answer).toMatchObject({
      status: 200,
      text: 'onetwo\n',
      headers: {
        ...{ 'content-type': 'application/octet-stream', 'content-length': '7', 'accept-ranges': 'bytes' },
        ...{ 'content-disposition': 'attachment', 'x-content-type-options': 'nosniff' },
      },
    });
    expect((await http(daemon.url).get(files)).body).toMatchObject({
      path: '',
      entries: [
        { name: 'deep', type: 'directory', mode: '755' },
        { name: 'out', type: 'link' },
        { name: 'pipe', type: 'other' },
      ],
    });
    expect((await http(daemon.url).get(`${files}?path=deep`)).body.entries).toMatchObject([
      { name: 'a b.txt', type: 'file', size: 7 },
      { name: 'er', type: 'directory' },
    ]);
    expect((await http(daemon.url).delete(`${files}/deep`)).body).toEqual({ path: 'deep', deleted: true });
    expect(fs.readdirSync(root)).toEqual(['out', 'pipe']);
    expect(fs.readdirSync(join(root, '..'))).toEqual(['workspace']);
    expect((await put(daemon, `${files}/empty`, '')).body).toEqual({ path: 'empty', size: 0 });
    expect((await http(daemon.url).get(`${files}/empty`)).text).toBe('');
    client.close();
  });

  test('are read in ranges', async () => {
    const { daemon, files } = await session();
    await put(daemon, `${files}/x`, '0123456789');
    const get = async (range: string, more = {}) => {
      const { status, text, headers } = await http(daemon.url).get(`${files}/x`, { range, ...more });
      return [status, text, headers['content-range']];
    };
    expect(await get('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10']);
    expect(await get('bytes=7-')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await get('bytes=-2')).toEqual([206, '89', 'bytes 8-9/10']);
    expect(await get('bytes=8-99')).toEqual([206, '89', 'bytes 8-9/10']);
    for (const odd of ['bytes=0-1,3-4', 'bytes=5-2', 'lines=1-2', 'bytes=-', 'x'])
      expect(await get(odd)).toEqual([200, '0123456789', undefined]);
    expect(await get('bytes=2-4', { 'if-range': 'Thu, 01 Jan 1970 00:00:00 GMT' })).toEqual([
      200,
      '0123456789',
      undefined,
    ]);
    for (const beyond of ['bytes=10-', 'bytes=99-100', 'bytes=-0']) expect((await get(beyond))[0]).toBe(416);
    const head = await http(daemon.url).request('HEAD', `${files}/x`);
    expect([head.status, head.headers['content-length'], head.text]).toEqual([200, '10', '']);
  });

  test('are refused where a path, an owner or a size is wrong, and nothing is left', async () => {
    const { daemon, files, root } = await session(['--max-file-bytes', '1000'], {
      owner: 'ann',
      tenant: 't',
    });
    const ann = { 'x-execgo-owner': 'ann' };
    const bad = [
      '%2Fetc%2Fpasswd',
      '..%2Fx',
      'a%2F..%2Fb',
      'a%2F%2Fb',
      'a%2F.%2Fb',
      '%00',
      `a${'x'.repeat(300)}`,
    ];
    for (const path of bad) {
      expect((await put(daemon, `${files}/${path}`, 'x', ann)).body.error, path).toMatchObject({
        code: 'invalid_input',
      });
      expect([400, 404], path).toContain((await http(daemon.url).get(`${files}/${path}`)).status);
    }
    for (const query of ['path=..', 'path=/etc', 'path=a//b', 'path='])
      expect((await http(daemon.url).get(`${files}?${query}`)).status, query).toBe(400);
    for (const mode of ['999', '8', '4755', 'x'])
      expect((await put(daemon, `${files}/x?mode=${mode}`, 'x', ann)).status, mode).toBe(400);
    expect((await put(daemon, `${files}/x`, 'x')).status).toBe(403);
    expect((await http(daemon.url).delete(`${files}/x`)).status).toBe(403);
    expect((await put(daemon, `${files}/x?tenant=other`, 'x', ann)).status).toBe(404);
    expect((await put(daemon, '/api/v1/sessions/no/files/x', 'x', ann)).status).toBe(404);
    expect((await http(daemon.url).get('/api/v1/tasks/no/files')).status).toBe(404);
    expect((await http(daemon.url).get(`${files}/none`)).body.error).toMatchObject({
      ...{ code: 'not_found', message: 'file not found: none', details: { path: 'none' } },
    });
    expect((await http(daemon.url).delete(`${files}/none`, ann)).status).toBe(404);
    expect((await put(daemon, `${files}/x`, 'y'.repeat(1001), ann)).body.error).toMatchObject({
      code: 'payload_too_large',
      details: { limit: 1000 },
    });
    expect((await put(daemon, `${files}/x`, 'x', { ...ann, 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await put(daemon, `${files}/x`, 'y'.repeat(1000), ann)).status).toBe(200);
    expect((await put(daemon, `${files}/x%2Fy`, 'x', ann)).body.error.code).toBe('conflict');
    fs.mkdirSync(join(root, 'dir/full'), { recursive: true });
    expect((await put(daemon, `${files}/dir`, 'x', ann)).body.error.code).toBe('conflict');
    expect((await http(daemon.url).get(`${files}/dir`)).body.error).toMatchObject({
      code: 'conflict',
      message: '"dir" is a directory, not a file',
    });
    expect((await http(daemon.url).get(`${files}?path=x`)).status).toBe(409);
    expect(fs.readdirSync(join(root, '..'))).toEqual(['workspace']);
    expect(fs.readdirSync(root)).toEqual(['dir', 'x']);
  });

  test('that are cut off, or larger than their sender says, leave nothing', async () => {
    const { daemon, files, root } = await session(['--max-file-bytes', '100000']);
    const { hostname, port } = new URL(daemon.url);
    const send = async (head: string, body: string, end: boolean) => {
      const socket = net.connect(Number(port), hostname);
      let answer = '';
      socket.on('data', (data) => (answer += String(data))).on('error', () => undefined);
      socket.write(`PUT ${files}/x HTTP/1.1\r\nhost: localhost\r\n${head}\r\n\r\n${body}`);
      if (end) {
        await waitFor(() => fs.readdirSync(join(root, '..')).length === 2, { what: 'the upload' });
        socket.destroy();
      } else await once(socket, 'close');
      return answer;
    };
    await send('content-length: 50000', 'x'.repeat(100), true);
    await waitFor(() => fs.readdirSync(join(root, '..')).length === 1, { what: 'nothing left' });
    expect(await send('content-length: 500000', '', false)).toContain('413 Payload Too Large');
    const chunk = `ea60\r\n${'x'.repeat(60_000)}\r\n`;
    expect(await send('transfer-encoding: chunked', chunk + chunk, false)).toContain('413 Payload Too Large');
    expect(fs.readdirSync(join(root, '..'))).toEqual(['workspace']);
    expect(fs.readdirSync(root)).toEqual([]);
  });

  test('are never reached through a link, waited for, or anything but regular files', async () => {
    const { daemon, files, root } = await session();
    const outside = tempDir();
    fs.writeFileSync(join(outside, 'secret'), 'words');
    fs.symlinkSync(outside, join(root, 'away'));
    fs.symlinkSync(join(outside, 'secret'), join(root, 'link'));
    await submitAndWait(daemon, inS('mkfifo pipe; mkdir dir; ln -s ../dir/../.. dir/up'));
    const socket = net.createServer().listen(join(root, 'socket'));
    await once(socket, 'listening');
    for (const path of ['link', 'pipe', 'socket', 'away', 'away%2Fsecret', 'dir%2Fup%2Fdir']) {
      const got = await http(daemon.url).get(`${files}/${path}`);
      expect([got.status, got.text.includes('words')], path).toEqual([409, false]);
    }
    expect((await http(daemon.url).get(`${files}?path=away`)).status).toBe(409);
    for (const path of ['away%2Fnew', 'dir%2Fup%2Fnew', 'pipe%2Fnew'])
      expect((await put(daemon, `${files}/${path}`, 'x')).status, path).toBe(409);
    expect((await http(daemon.url).delete(`${files}/away%2Fsecret`)).status).toBe(409);
    // What stands in the place of a file is replaced or removed itself, not what it leads to.
    for (const path of ['link', 'pipe', 'socket', 'away'])
      expect((await put(daemon, `${files}/${path}`, 'new')).status, path).toBe(200);
    fs.symlinkSync(outside, join(root, 'again'));
    expect((await http(daemon.url).delete(`${files}/again`)).body.deleted).toBe(true);
    expect(fs.readdirSync(outside)).toEqual(['secret']);
    expect(fs.readFileSync(join(outside, 'secret'), 'utf8')).toBe('words');
    socket.close();
  });

  test('cannot be led astray by a task that swaps directories for links all the time', async () => {
    const { daemon, files, root } = await session();
    const outside = tempDir();
    fs.writeFileSync(join(outside, 'x'), 'words');
    const stop = join(tempDir(), 'stop');
    const task = await submit(
      daemon,
      inS(
        `mkdir d; echo own >d/x; while ! [ -e ${stop} ]; do mv d e; ln -s ${outside} d; rm d; mv e d; done`,
      ),
    );
    await waitFor(() => fs.existsSync(join(root, 'd')) || fs.existsSync(join(root, 'e')), {
      what: 'the swapping',
    });
    const seen = new Set<number>();
    for (let i = 0; i < 150; i++) {
      const got = await http(daemon.url).get(`${files}/d%2Fx`);
      seen.add(got.status);
      expect(got.text).not.toContain('words');
      seen.add((await put(daemon, `${files}/d%2Fy`, 'mine')).status);
      seen.add((await http(daemon.url).delete(`${files}/d%2Fy`)).status);
    }
    fs.writeFileSync(stop, '');
    await waitForEnd(daemon, task);
    expect([...seen].filter((status) => ![200, 404, 409].includes(status))).toEqual([]);
    expect(fs.readdirSync(outside)).toEqual(['x']);
    expect(fs.readFileSync(join(outside, 'x'), 'utf8')).toBe('words');
  });

  test('keep a session from being idle, and are gone with it', async () => {
    const { daemon, files } = await session(['--session-idle-secs', '1']);
    const until = Date.now() + 2500;
    while (Date.now() < until) {
      expect((await put(daemon, `${files}/x`, 'x')).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await waitFor(async () => (await http(daemon.url).get('/api/v1/sessions/s')).body.state === 'evicted', {
      what: 'its eviction',
    });
    for (const answer of [await put(daemon, `${files}/x`, 'x'), await http(daemon.url).get(`${files}/x`)])
      expect(answer).toMatchObject({ status: 409, body: { error: { code: 'session_evicted' } } });
  });
});

test('with --task-user a session and its files belong to that user, and what belongs to others is not given out', async () => {
  const daemon = await startDaemon({ dataDir: reachableDataDir(), flags: ['--task-user', 'nobody'] });
  await http(daemon.url).post('/api/v1/sessions', { session_id: 's' });
  const files = '/api/v1/sessions/s/files';
  const root = join(daemon.dataDir, 'sessions/s/workspace');
  expect((await put(daemon, `${files}/dir/x?mode=600`, 'text')).status).toBe(200);
  const nobody = fs.statSync(root).uid;
  expect(nobody).toBeGreaterThan(0);
  for (const path of ['dir', 'dir/x']) expect(fs.statSync(join(root, path)).uid, path).toBe(nobody);
  const task = await submitAndWait(
    daemon,
    inS('cat ../dir/x; echo more >>../dir/x; mkdir ../own; ls ../../.. ; echo done', {
      sandbox: { workspace_subdir: 'sub' },
    }),
  );
  expect(task).toMatchObject({ status: 'success', stdout: 'textdone\n' });
  expect((await http(daemon.url).get(`${files}/dir%2Fx`)).text).toBe('textmore\n');
  fs.writeFileSync(join(root, "root's"), 'words');
  expect(await http(daemon.url).get(`${files}/root's`)).toMatchObject({
    status: 403,
    body: { error: { code: 'permission_denied' } },
  });
  fs.linkSync(join(daemon.dataDir, 'runtime.db'), join(root, 'db'));
  expect((await http(daemon.url).get(`${files}/db`)).status).toBe(403);
  expect((await http(daemon.url).delete('/api/v1/sessions/s')).body.deleted).toBe(true);
});

test('files of a task are those of its workspace, its own or that of its session', async () => {
  const { daemon, client } = await session();
  const own = await submitAndWait(daemon, script('echo hi >out', { control_context: { owner: 'ann' } }));
  const shared = await submitAndWait(daemon, inS('echo shared >out'));
  expect(String(await read(client, { task: own.task_id }, 'out'))).toBe('hi\n');
  expect(String(await read(client, { task: shared.task_id }, 'out'))).toBe('shared\n');
  expect(String(await read(client, { session: 's' }, 'out'))).toBe('shared\n');
  await expect(client.files.write({ task: own.task_id }, 'in', Buffer.from('x'))).rejects.toThrow(
    'owner of the task',
  );
  await client.files.write({ task: own.task_id }, 'in', Buffer.from('x'), { owner: 'ann' });
  expect((await client.files.list({ task: own.task_id })).entries.map(({ name }) => name)).toEqual([
    'in',
    'out',
  ]);
  await client.files.remove({ task: own.task_id }, 'in', { owner: 'ann' });
  await client.delete(own.task_id, { owner: 'ann' });
  await expect(client.files.list({ task: own.task_id })).rejects.toThrow('task not found');
  client.close();
});

test('files are copied and listed at the command line', async () => {
  const { daemon, root } = await session();
  const here = tempDir();
  fs.writeFileSync(join(here, 'here.txt'), 'text', { mode: 0o700 });
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await execgo(args, { daemon, cwd: here });
    return [code, stdout, stderr];
  };
  const fine = [0, '', ''];
  expect(await run('cp', 'here.txt', 's:dir/there.txt')).toEqual(fine);
  expect(fs.statSync(join(root, 'dir/there.txt')).mode & 0o777).toBe(0o700);
  expect(await run('cp', 'here.txt', 's:')).toEqual(fine);
  expect(await run('cp', 's:dir/there.txt', '.')).toEqual(fine);
  expect(await run('cp', 's:here.txt', 'copy')).toEqual(fine);
  expect(fs.readFileSync(join(here, 'there.txt'), 'utf8') + fs.readFileSync(join(here, 'copy'), 'utf8')).toBe(
    'texttext',
  );
  expect(await run('cp', 's:here.txt', '-')).toEqual([0, 'text', '']);
  const [, listed] = await run('files', 's:dir');
  expect(JSON.parse(String(listed))).toMatchObject({
    path: 'dir',
    entries: [{ name: 'there.txt', size: 4 }],
  });
  const task = await submitAndWait(daemon, inS('cat here.txt'));
  expect(task.stdout).toBe('text');
  expect(await run('cp', '--task', `${task.task_id}:here.txt`, '-')).toEqual([0, 'text', '']);
  expect(await run('files', '--rm', 's:dir')).toEqual(fine);
  const mistakes: [args: string[], code: number, said: string][] = [
    [['cp', 'here.txt'], 2, "missing required argument 'to'"],
    [['cp', 'here.txt', 'copy'], 2, 'one as SESSION:PATH'],
    [['cp', 's:a', 's:b'], 2, 'one as SESSION:PATH'],
    [['cp', 'none', 's:x'], 2, 'none cannot be read: no such file'],
    [['cp', '.', 's:x'], 2, '. is a directory'],
    [['cp', '-', 's:'], 2, 'say which file standard input becomes'],
    [['cp', 's:', 'x'], 2, 'say which file to copy'],
    [['cp', 's:/etc/passwd', '.'], 2, 'begins with no slash'],
    [['cp', 's:../x', '.'], 1, 'path: must be relative'],
    [['cp', 's:none', '.'], 1, 'file not found: none (execgo files shows what there is)'],
    [['cp', 'no:x', '.'], 1, 'session not found: no'],
    [['cp', 's:here.txt', 'no/such/dir'], 1, 'cannot be written: no such file'],
    [['cp', '--task', 'no:x', '.'], 1, 'task not found: no'],
    [['files', 's:dir'], 1, 'file not found: dir'],
    [['files', '--rm', 's'], 2, 'say what to delete'],
  ];
  for (const [args, code, said] of mistakes) {
    const [was, stdout, stderr] = await run(...args);
    expect([was, stdout], args.join(' ')).toEqual([code, '']);
    expect(stderr, args.join(' ')).toContain(said);
  }
  expect(fs.readdirSync(here).sort()).toEqual(['copy', 'here.txt', 'there.txt']);
});
