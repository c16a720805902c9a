import type dns from 'node:dns';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { receiverOf, type Receiver as Target } from '../../src/task/notify.js';
import { AllowList } from '../../src/webhook/allow-list.js';
import { Lookups } from '../../src/webhook/lookups.js';
import { post, type PostOptions } from '../../src/webhook/post.js';
import { startReceiver } from '../harness/receiver.js';

const NEVER = new AbortController().signal;

function send(url: string, allowed: string[], options: Partial<PostOptions> = {}) {
  const receiver = receiverOf(url) as Target;
  return post(
    { url, receiver, headers: { 'webhook-id': 'id' }, body: '{}' },
    { allowed: new AllowList(allowed), timeoutMs: 30_000, signal: NEVER, lookups: new Lookups(), ...options },
  );
}

/** A name server that says what it is told to, one answer after the other, and counts how often it is asked. */
function names(...answers: string[][]) {
  const asked = { times: 0 };
  const lookup = ((_name: string, _options: object, done: (e: null, found: dns.LookupAddress[]) => void) => {
    const found = answers[Math.min(asked.times++, answers.length - 1)] ?? [];
    done(
      null,
      found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  }) as unknown as typeof dns.lookup;
  return { asked, lookups: new Lookups({ lookup }) };
}

test('a name that leads to this machine is not connected to', async () => {
  const receiver = await startReceiver();
  const { port } = new URL(receiver.url);
  const url = `http://hooks.example.com:${port}/`;
  const { lookups } = names(['127.0.0.1']);
  await expect(send(url, ['hooks.example.com'], { lookups })).rejects.toThrow(
    'hooks.example.com leads to an address that is not public',
  );
  expect(receiver.received).toHaveLength(0);
  // Where the address is allowed, it is.
  expect(await send(url, ['hooks.example.com', receiver.host], { lookups })).toMatchObject({ status: 204 });
});

test('a name is looked up once for a connection: it cannot be one address when it is checked and another when it is used', async () => {
  const receiver = await startReceiver();
  const { port } = new URL(receiver.url);
  const { asked, lookups } = names(['127.0.0.1'], ['10.0.0.1']);
  await send(`http://hooks.example.com:${port}/`, ['hooks.example.com', '127.0.0.1'], { lookups });
  expect(asked.times).toBe(1);
});

test('of several addresses only those are used that are allowed', async () => {
  const receiver = await startReceiver();
  const { port } = new URL(receiver.url);
  const { lookups } = names(['10.0.0.1', '127.0.0.1']);
  const url = `http://hooks.example.com:${port}/`;
  expect(await send(url, ['hooks.example.com', '127.0.0.1'], { lookups })).toMatchObject({ status: 204 });
});

test('who is not allowed is not looked up', async () => {
  const { asked, lookups } = names(['127.0.0.1']);
  await expect(send('http://other.example.com/', ['hooks.example.com'], { lookups })).rejects.toThrow(
    'other.example.com:80 is not among those to whom this daemon may send; its operator allows them with --webhook-allow',
  );
  await expect(send('http://127.0.0.1:9/', ['hooks.example.com'], { lookups })).rejects.toThrow(
    '127.0.0.1:9 is not',
  );
  await expect(send('http://[::1]:9/', ['127.0.0.1'], { lookups })).rejects.toThrow('[::1]:9 is not');
  expect(asked.times).toBe(0);
});

test('a redirect is not followed', async () => {
  const inside = await startReceiver();
  const outside = await startReceiver((_, response) => {
    response.writeHead(307, { location: inside.url }).end();
  });
  expect(await send(outside.url, ['127.0.0.1'])).toMatchObject({ status: 307 });
  expect(inside.received).toHaveLength(0);
});

test('an answer without an end is answered by its head', async () => {
  const receiver = await startReceiver((_, response) => {
    response.writeHead(200);
    const write = () => {
      while (response.write('x'.repeat(65_536)));
    };
    response.on('drain', write);
    write();
  });
  expect(await send(receiver.url, ['127.0.0.1'])).toMatchObject({ status: 200 });
});

test.each([
  ['says nothing', ''],
  ['sends a head without an end', 'HTTP/1.1 200 OK\r\nx: '],
])('one that %s is not waited for longer than it may take', async (_, said) => {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket.on('error', () => undefined));
    socket.write(said);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  await expect(send(`http://127.0.0.1:${port}/`, ['127.0.0.1'], { timeoutMs: 50 })).rejects.toThrow(
    'no answer within 50 ms',
  );
});

test('what goes wrong is said in words', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  await expect(send(url, ['127.0.0.1'])).rejects.toThrow('the connection was closed before an answer came');
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await expect(send(url, ['127.0.0.1'])).rejects.toThrow('the connection was refused');
  const nobody = names([]);
  await expect(send('http://a.example/', ['a.example'], { lookups: nobody.lookups })).rejects.toThrow(
    'leads to an address',
  );
});

test('it ends with the daemon', async () => {
  const stop = new AbortController();
  const receiver = await startReceiver(() => {
    stop.abort(new Error('over'));
  });
  await expect(send(receiver.url, ['127.0.0.1'], { signal: stop.signal })).rejects.toThrow('over');
  await expect(send(receiver.url, ['127.0.0.1'], { signal: stop.signal })).rejects.toThrow('over');
  expect(receiver.received).toHaveLength(1);
});
