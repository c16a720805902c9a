import { readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { http, openFds, script, startDaemon, submitAndWait, tempDir, waitFor } from '../harness/index.js';
import { kill, submitAndSee } from '../limits/support.js';

const MIB = 1_048_576;
const MAX_CONNECTIONS = 32;
/** Far more than that. */
const MANY = 150;

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${more}\r\n`;
const SSE = 'accept: text/event-stream\r\n';

/** A connection that sends `text`, reads nothing and stays until it is closed, at the latest when the test has finished. */
async function hold(url: string, text: string): Promise<net.Socket> {
  const at = url.startsWith('unix:') ? { path: url.slice('unix:'.length) } : new URL(url);
  const socket = ('path' in at ? net.connect(at) : net.connect(Number(at.port), at.hostname)).pause();
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.write(text, () => resolve());
  });
  return socket;
}

/** A connection that has gone again after the first answer to `text` came. */
async function begin(url: string, text: string): Promise<void> {
  const socket = await hold(url, text);
  await new Promise((resolve) => socket.once('data', resolve).resume());
  socket.destroy();
}

const holdMany = (url: string, count: number, text: string) =>
  Promise.all(Array.from({ length: count }, () => hold(url, text)));

const halfBody = (bytes: number) =>
  `POST /api/v1/tasks/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${2 * bytes}\r\n\r\n"${'x'.repeat(bytes - 1)}`;

const sockets = (pid: number) => [...openFds(pid).values()].filter((target) => target.startsWith('socket:'));

/** Writes more than the kernel keeps for a connection, and goes on. */
const LOUD = script('yes | head -c 20000000; echo up >&2; exec sleep 600');

/** Every way to hold a connection. */
const ways = (id: string): string[] => [
  '',
  'GET /healthz HTTP/1.1\r\nhost: local',
  get('/healthz'),
  get(`/api/v1/tasks/${id}?wait_ms=60000`),
  get('/api/v1/events', SSE),
  get(`/api/v1/tasks/${id}/output/stream`, SSE),
  get(`/api/v1/tasks/${id}/output?limit=4194304`).repeat(20),
  halfBody(50),
];

test.each(['an address', 'a Unix socket'])(
  'one client that holds all connections to %s in any way keeps no operator out',
  async (where) => {
    const listen = where === 'an address' ? {} : { listen: { socket: join(tempDir(), 'socket') } };
    const daemon = await startDaemon({ ...listen, flags: ['--max-connections', String(MAX_CONNECTIONS)] });
    const { get: ask, post } = http(daemon.url);
    const id = (await post('/api/v1/tasks', LOUD)).body.task_id as string;
    await waitFor(async () => (await ask(`/api/v1/tasks/${id}`)).body.stderr === 'up\n');
    const before = sockets(daemon.pid).length;
    for (const text of ways(id)) {
      await holdMany(daemon.url, MANY, text);
      for (let i = 0; i < 3; i++) expect([text, (await ask('/healthz')).status]).toEqual([text, 200]);
      expect(sockets(daemon.pid).length - before).toBeLessThanOrEqual(1.25 * MAX_CONNECTIONS + 1);
    }
    expect((await post(`/api/v1/tasks/${id}/kill?grace_ms=0&wait_ms=20000`)).body.status).toBe('cancelled');
  },
);

test('half-sent bodies hold no more than they may, and a submit still gets in', async () => {
  const daemon = await startDaemon({ flags: ['--max-body-bytes', String(32 * MIB)] });
  const kib = (name: string) =>
    Number(
      new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1],
    );
  const before = kib('VmRSS');
  await holdMany(daemon.url, 40, halfBody(8 * MIB));
  expect((await submitAndWait(daemon, script('exit 0'))).status).toBe('success');
  // They have sent 320 MiB; the rest is what a program that reads as much has not collected yet.
  expect(kib('VmHWM') - before).toBeLessThan(160 * 1024);
});

/** What keeps the event loop of a daemon alive, by kind, and how many directories it watches. */
function activeResources(): { env: Record<string, string>; ask: (pid: number) => Promise<string> } {
  const file = join(tempDir(), 'active');
  const probe = fileURLToPath(new URL('active-resources.cjs', import.meta.url));
  return {
    env: { NODE_OPTIONS: `--require ${probe}`, TEST_ACTIVE_RESOURCES: file },
    ask: async (pid) => {
      rmSync(file, { force: true });
      process.kill(pid, 'SIGUSR2');
      const active = JSON.parse(await waitFor(() => readFileSync(file, 'utf8'))) as string[];
      const watched = [...openFds(pid)]
        .filter(([, target]) => target === 'anon_inode:inotify')
        .flatMap(([fd]) => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8').match(/^inotify /gm) ?? []);
      return JSON.stringify([...active, ...watched].sort());
    },
  };
}

test('of what pipelined waits and streams held nothing is left when their connections have gone', async () => {
  const { env, ask } = activeResources();
  const daemon = await startDaemon({ env });
  const id = await submitAndSee(daemon, script('echo up; exec sleep 600'), 'up');
  const wait = get(`/api/v1/tasks/${id}?wait_ms=60000`);
  const streams = [get(`/api/v1/tasks/${id}/output/stream`, SSE), get('/api/v1/events', SSE)];
  // What a daemon makes once it makes for the first of them.
  const connected = sockets(daemon.pid).length;
  for (const stream of streams) await begin(daemon.url, stream);
  let idle = '';
  await waitFor(async () => {
    const [before, now] = [idle, await ask(daemon.pid)];
    idle = now;
    // A thread may still be answering what was asked of it before.
    const isBusy = now.includes('inotify') || now.includes('MessagePort');
    return before === now && !isBusy && sockets(daemon.pid).length <= connected;
  });
  const held: net.Socket[] = [];
  for (const stream of streams)
    for (const text of [`${wait}${stream}`, `${stream}${wait}`, `${wait}${wait}${stream}`])
      held.push(...(await holdMany(daemon.url, 30, text)));
  await waitFor(() => sockets(daemon.pid).length >= held.length);
  const busy = await ask(daemon.pid);
  expect([busy.includes('inotify'), busy.split('"Timeout"').length > 30]).toEqual([true, true]);
  for (const socket of held) socket.destroy();
  await waitFor(async () => (await ask(daemon.pid)) === idle, {
    what: `what the daemon had before: ${idle}`,
  });
  await kill(daemon, id, 'grace_ms=0');
});
